"""Blocks to examples: which blocks of a page are one session, and what becomes of every block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proof.errors import ProofError
from proof.example.illustration import check_illustration
from proof.example.session import Role, Session, role, sessions_of
from proof.page.blocks import CONSOLE, Block, Heading, Page
from proof.settings import Settings


@dataclass(frozen=True)
class Example:
    """An example of a page, with a session for each of its alternatives.

    Attributes:
        page: The page's path from the repository's root.
        id: The id of the heading of its section; "top" for what stands before any heading.
        heading: That heading.
        blocks: All blocks of the section.
        sessions: What to repeat; at least one.
    """

    page: str
    id: str
    heading: Heading | None
    blocks: tuple[Block, ...]
    sessions: tuple[Session, ...]

    @property
    def file(self) -> str:
        """The file that it is written in: the page, or one that pages include the whole of."""
        files = {block.start.path if block.start else self.page for block in self.blocks}
        return files.pop() if len(files) == 1 else self.page

    @property
    def name(self) -> str:
        """The example's name in messages and among the tests, however many pages include it."""
        return f"{self.page}::{self.id}" if self.file == self.page else self.file

    @property
    def requires(self) -> tuple[str, ...]:
        """What it needs of a kernel, in words that the probe knows."""
        return self.heading.requires if self.heading else ()


@dataclass(frozen=True)
class Account:
    """What became of the blocks of a page: its examples, each block's role, and what is wrong."""

    page: Page
    examples: tuple[Example, ...]
    roles: tuple[tuple[Block, Role], ...]
    problems: tuple[ProofError, ...]

    def example_of(self, block: Block) -> Example | None:
        """Return the example that the block is a part of."""
        return next((e for e in self.examples if block in e.blocks), None)


def read_page(page: Page) -> Account:
    """Account for every block of a page.

    Nothing is raised, so that one bad block does not hide the others: what is wrong stands in the
    answer's `problems`, of which any must fail the page.
    """
    examples, problems = find_examples(page)
    for heading, blocks in _sections(page).items():
        named = heading is not None and heading.example
        if not _is_example(blocks):
            problems += [_stray(b) for b in blocks if role(b) is Role.FILE]
        if named or any(role(b) in (Role.FILE, Role.CONSOLE) for b in blocks):
            problems += [_unrun(b) for b in blocks if _is_unrun(b)]
        if named and all(role(b) is Role.ILLUSTRATION and not _is_unrun(b) for b in blocks):
            problems.append(_idle(blocks[0]))
    for block in page.blocks:
        problems += _judge(block, page.settings)
    problems += [_unseen(page, origin) for origin in page.unseen]
    return Account(page, tuple(examples), tuple((b, role(b)) for b in page.blocks), tuple(problems))


def find_examples(page: Page) -> tuple[list[Example], list[ProofError]]:
    """Find the examples of a page, and what is wrong with those that cannot be read."""
    examples: list[Example] = []
    problems: list[ProofError] = []
    for heading, blocks in _sections(page).items():
        if _is_example(blocks):
            try:
                examples.append(_example(page.path, heading, blocks))
            except ProofError as error:
                problems.append(error)
    return examples, problems


def _sections(page: Page) -> dict[Heading | None, list[Block]]:
    sections: dict[Heading | None, list[Block]] = {}
    for block in page.blocks:
        sections.setdefault(_section(block), []).append(block)
    return sections


def _is_example(blocks: Sequence[Block]) -> bool:
    return any(role(b) is Role.CONSOLE for b in blocks)


def _is_unrun(block: Block) -> bool:
    return role(block) is Role.ILLUSTRATION and block.language == CONSOLE


def _section(block: Block) -> Heading | None:
    for heading in reversed(block.headings):
        if heading.example:
            return heading
    return block.headings[-1] if block.headings else None


def _stray(block: Block) -> ProofError:
    return ProofError(
        f"the file {block.title!r} belongs to no example, as its section has no `console` block;"
        " add the commands that use it, or mark it { .illustration }",
        block.start,
    )


def _unrun(block: Block) -> ProofError:
    return ProofError(
        "commands of an example are run, not shown only; take away the mark .illustration, or move"
        " them to a section of their own",
        block.start,
    )


def _idle(block: Block) -> ProofError:
    return ProofError(
        "the example that this block stands in has no commands; add a `console` block, or give the"
        " section a heading that does not begin with `Example`",
        block.start,
    )


def _unseen(page: Page, origin: object) -> ProofError:
    return ProofError(
        f"{origin or page.path}: this looks like a fence, but the site makes no code block of it;"
        ' close it, indent it as its neighbours, and write its options as title="..." or { ... }'
    )


def _judge(block: Block, settings: Settings) -> Iterator[ProofError]:
    if block.fence is None and block.start is not None:
        yield ProofError(
            "this block is not fenced (indented by four spaces, or HTML's <pre>); fence it, or"
            " take away the indent if it is no code",
            block.start,
        )
        return
    if block.fence and not block.fence.known and block.language != CONSOLE:
        yield ProofError(
            f"no highlighting knows the language {block.fence.language!r}; correct its name, or"
            " write `text`",
            block.start,
        )
    if not block.text.strip():
        yield ProofError(
            "this block is empty; write something into it, or correct the lines of the file that it"
            " includes",
            block.start,
        )
    if role(block) is Role.UNACCOUNTED:
        yield ProofError(
            f"nothing accounts for this {block.language} block; make it a file of an example with"
            ' title="name", commands and output with the language `console`, or mark what is only'
            " shown with the class { .illustration }",
            block.start,
        )
    elif role(block) is Role.ILLUSTRATION:
        try:
            check_illustration(block, settings)
        except ProofError as error:
            yield error


def _example(page: str, heading: Heading | None, blocks: Sequence[Block]) -> Example:
    if heading is not None and not (heading.top and heading.id):
        raise ProofError(
            f"{page}: the example's heading {heading.text!r} stands inside a tab, a list or an"
            " admonition (or has no id); move it out, so that the section has an end"
        )
    name = heading.id if heading else "top"
    return Example(page, name, heading, tuple(blocks), sessions_of(blocks))

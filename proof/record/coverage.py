"""Account to coverage: what became of every code block of every page, and where it is written.

A block counts if it is checked for what it claims to be: commands and files if a record shows that
they ran as they stand on the page, what is only shown if it parses.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from proof.errors import ProofError
from proof.example.commands import Command
from proof.example.examples import Account, Example, read_page
from proof.example.place import Place
from proof.example.session import Role, Session, role
from proof.page.blocks import Block
from proof.page.pages import Pages
from proof.record.digest import digest
from proof.record.record import Record, Run, read_all

_COMPILED = frozenset({"c", "cpp", "c++", "go", "rust"})
_WORD = re.compile(r"[\w./+-]+")


class Fate(enum.Enum):
    """What became of a block."""

    RAN = "ran"
    COMPILED = "compiled"
    REFUSED = "refused as expected"
    ILLUSTRATION = "illustration"
    NONE = "unaccounted for"


@dataclass(frozen=True)
class Line:
    """A block's line of the account.

    Attributes:
        block: The block.
        fate: What became of it.
        why: For `Fate.NONE`, what is missing.
    """

    block: Block
    fate: Fate
    why: str = ""

    @property
    def place(self) -> str:
        """Where the block begins, as page:line."""
        return str(self.block.start)

    @property
    def what(self) -> str:
        """What the block is, in words: a file's name, or its language."""
        if role(self.block) is Role.FILE:
            return str(self.block.title)
        return "commands" if role(self.block) is Role.CONSOLE else self.block.language


@dataclass(frozen=True)
class Coverage:
    """The account of a site: the lines of each page that has blocks, and what is wrong."""

    pages: dict[str, tuple[Line, ...]]
    problems: tuple[str, ...]

    @property
    def lines(self) -> list[Line]:
        """The lines of all pages."""
        return [line for lines in self.pages.values() for line in lines]

    @property
    def whole(self) -> bool:
        """Whether there are blocks, and none is unaccounted for."""
        return not self.problems and bool(self.lines)

    @property
    def percent(self) -> int:
        """How many of a hundred blocks are accounted for; 100 only if nothing is wrong."""
        good = sum(line.fate is not Fate.NONE for line in self.lines)
        return 100 if self.whole else min(99, 100 * good // max(1, len(self.lines)))


def cover(site: Pages) -> Coverage:
    """Account for every block of every page of a site."""
    known = {record.hash: record for record in read_all(site.records) if record.shown}
    pages: dict[str, tuple[Line, ...]] = {}
    problems: list[str] = []
    for path in site.paths():
        try:
            account = read_page(site.page(path))
        except ProofError as error:
            problems.append(str(error))
            continue
        lines = tuple(_lines(account, known))
        if lines:
            pages[path] = lines
        problems += [str(problem) for problem in account.problems]
        said = {problem.origin for problem in account.problems}
        problems += [
            f"{line.place}: {line.why}"
            for line in lines
            if line.fate is Fate.NONE and line.block.start not in said
        ]
    return Coverage(pages, tuple(problems))


def count(lines: Sequence[Line]) -> str:
    """Sum lines up in words: "5 blocks: 2 ran, 3 compiled"."""
    fates = Counter(line.fate for line in lines)
    parts = [f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate]]
    return f"{len(lines)} block{'s' * (len(lines) != 1)}: {', '.join(parts)}"


def _lines(account: Account, known: dict[str, Record]) -> Iterator[Line]:
    faulty = {problem.origin: str(problem) for problem in account.problems}
    for block, its_role in account.roles:
        example = account.example_of(block)
        if block.start in faulty:
            yield Line(block, Fate.NONE, faulty[block.start])
        elif its_role is Role.ILLUSTRATION:
            yield Line(block, Fate.ILLUSTRATION)
        elif example is None:
            yield Line(block, Fate.NONE, "it belongs to no example that could be read")
        else:
            yield _line(block, example, account, known)


def _line(block: Block, example: Example, account: Account, known: dict[str, Record]) -> Line:
    settings = account.page.settings
    record = known.get(digest(example))
    if record is None:
        command = settings.record_command
        why = f"the example {example.id!r} has not been run as it stands: run `{command}`"
        return Line(block, Fate.NONE, why)
    if not any(_compared(block, example, run) for run in record.shown):
        why = f"no record is of a run where this output holds: run `{settings.matrix_command}`"
        return Line(block, Fate.NONE, why)
    commands = [c for session in example.sessions for c in _with_status(session)]
    if role(block) is Role.CONSOLE:
        refused = any(c.block == block and status for c, status in commands)
        return Line(block, Fate.REFUSED if refused else Fate.RAN)
    # That a command opened the file was seen when the example ran.
    if any(status for c, status in commands if _names(c, str(block.title))):
        fate = Fate.REFUSED
    else:
        fate = Fate.COMPILED if block.language in _COMPILED else Fate.RAN
    return Line(block, fate)


def _compared(block: Block, example: Example, run: Run) -> bool:
    """Say whether a run is one whose output was held against this block, not against a variant."""
    return role(block) is not Role.CONSOLE or any(
        command.block == block
        for session in example.sessions
        for command in session.commands_on(Place(run.place))
    )


def _with_status(session: Session) -> Iterator[tuple[Command, bool]]:
    """Yield the commands, each with whether the page expects it to fail."""
    for commands in (session.commands, *(variant.commands for variant in session.variants)):
        for number, command in enumerate(commands):
            after = commands[number + 1] if number + 1 < len(commands) else None
            asked = after is not None and after.asks
            yield command, bool(asked and after and after.shown and after.shown[0].strip() != "0")


def _names(command: Command, file: str) -> bool:
    """Say whether a command names a file, or the object made from it (x.o of x.c)."""
    path = Path(file)
    names = {file, f"./{file}", str(path.with_suffix(".o")), f"./{path.with_suffix('.o')}"}
    return not names.isdisjoint(_WORD.findall(command.text))

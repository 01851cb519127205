"""HTML to blocks: the headings and the code blocks that a reader finds on a rendered page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bs4 import BeautifulSoup, Tag

from proof.errors import ProofError
from proof.page.offsets import Offsets
from proof.page.origins import FENCE_ATTRIBUTE, Fence, Origin, Tracker
from proof.settings import Settings

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")

CONSOLE = "console"
"""The language of every block of commands, whatever its author called it."""

_SCRIPTS = frozenset({"bash", "sh", "shell", "zsh"})
_CONTAINERS = frozenset({"li", "blockquote", "details", "td", "th", "dd"})
_CONTAINER_CLASSES = frozenset({"admonition", "tabbed-block"})


@dataclass(frozen=True)
class Heading:
    """A heading of a page, with its number among the page's headings and its place in the HTML."""

    level: int
    id: str
    text: str
    number: int
    offset: int
    top: bool
    """Whether it stands in the page itself, not inside a tab, a list or an admonition."""
    requires: tuple[str, ...] = ()
    """What the section needs of a kernel: the words of the attribute `data-requires`."""
    example: bool = False
    """Whether it says that its section, with all below it, is an example."""


@dataclass(frozen=True)
class Tab:
    """A tab that encloses a block: which set of tabs of the page, and which label."""

    set: str
    label: str


@dataclass(frozen=True)
class Block:
    """A `<pre>` of a page.

    Attributes:
        number: Its number on the page, from 0.
        language: The language it is highlighted as ("text" where the author named none).
        title: The title above it, or None.
        lines: Its text.
        classes: Classes that the author gave it.
        tabs: The tabs around it, outermost first.
        headings: The headings of the sections around it, outermost first.
        origins: For each line the place where it is written; empty where that is not known.
        start: The place where the block begins, or None where that is not known.
        fence: The fence that it was made from; None for other blocks and where it is not known.
        offset: Where in the HTML its outermost element begins.
        prompts: What a command may begin with.
    """

    number: int
    language: str
    title: str | None
    lines: tuple[str, ...]
    classes: frozenset[str]
    tabs: tuple[Tab, ...]
    headings: tuple[Heading, ...]
    origins: tuple[Origin | None, ...]
    start: Origin | None
    fence: Fence | None
    offset: int
    prompts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The block as a file would hold it: every line ends with a newline."""
        return "".join(f"{line}\n" for line in self.lines)

    def origin(self, index: int) -> Origin | None:
        """Return where the line with this index (from 0) is written, as well as that is known."""
        return self.origins[index] if index < len(self.origins) else self.start


@dataclass(frozen=True)
class Page:
    """A page as rendered: its path from the repository's root, blocks, headings, and settings."""

    path: str
    blocks: tuple[Block, ...]
    headings: tuple[Heading, ...]
    settings: Settings = field(default_factory=Settings)
    unseen: tuple[Origin | None, ...] = ()
    """Lines that look like a fence and from which the site makes no code block."""
    end: int = 0
    """Where in the HTML the author's text ends: before the footnotes, if there are any."""


def parse(
    html: str, path: str = "", tracker: Tracker | None = None, settings: Settings | None = None
) -> Page:
    """Find headings and code blocks in a rendered page.

    Args:
        html: The page's content.
        path: The page, as it is to be named in messages.
        tracker: What watched the conversion; without it, blocks have no positions.
        settings: Those of the site.

    Raises:
        ProofError: A fenced block has no place in the HTML, or its text is not what was written.
    """
    chosen = settings or Settings()
    soup = BeautifulSoup(html, "html.parser")
    offset = Offsets(html)
    headings: list[tuple[Heading, Tag]] = []
    blocks: list[Block] = []
    seen: set[int] = set()
    for tag in soup.find_all([*_HEADINGS, "pre"]):
        if tag.name != "pre":
            headings.append((_heading(tag, len(headings), offset(_outer(tag)), chosen), tag))
        elif not tag.find_parent("td", class_="linenos"):  # a column of line numbers is no block
            around = tuple(_enclosing(tag, headings))
            block = _block(tag, len(blocks), around, offset, tracker, chosen)
            if (fault := _unseen_by_a_reader(tag)) and not (tracker and tracker.lenient):
                raise ProofError(
                    f"a reader does not see this block ({fault}); show it, or take it out",
                    block.start,
                )
            blocks.append(block)
            if block.fence:
                seen.add(block.fence.number)
    for number, fence in enumerate(tracker.fences if tracker else ()):
        if number not in seen and not (tracker and tracker.lenient):
            raise ProofError(
                "this fenced block is not on the rendered page (is it inside a comment, or"
                " indented as code?); take it out, or make it a block of its own",
                fence.start,
            )
    unseen = tuple(tracker.unseen) if tracker else ()
    notes = soup.find("div", class_="footnote", recursive=False)
    end = offset(notes) if isinstance(notes, Tag) else len(html)
    return Page(path, tuple(blocks), tuple(h for h, _ in headings), chosen, unseen, end)


def _heading(tag: Tag, number: int, offset: int, settings: Settings) -> Heading:
    text = "".join(
        str(s) for s in tag.strings if not s.find_parent("a", class_="headerlink")
    ).strip()
    return Heading(
        int(tag.name[1]),
        _attribute(tag, "id"),
        text,
        number,
        offset,
        _container(tag) is None,
        tuple(_attribute(tag, "data-requires").split()),
        re.match(settings.example_heading, text) is not None,
    )


def _outer(heading: Tag) -> Tag:
    """Return the heading, or the outermost of the sections that begin with it."""
    outer = heading
    while (around := outer.parent) and around.name == "section" and around.find(True) is outer:
        outer = around
    return outer


def _attribute(heading: Tag, name: str) -> str:
    """Return an attribute of a heading, or of the section that an extension wrapped it in."""
    for tag in (heading, _outer(heading)):
        if tag.get(name):
            return str(tag[name])
    return ""


def _container(tag: Tag) -> Tag | None:
    """Return what encloses an element and has sections of its own: a tab, a list, an admonition."""
    for parent in tag.parents:
        if parent.name in _CONTAINERS or _CONTAINER_CLASSES.intersection(_classes(parent)):
            return parent
    return None


def _enclosing(tag: Tag, headings: Sequence[tuple[Heading, Tag]]) -> Iterator[Heading]:
    """Yield the headings whose sections hold the tag.

    A heading inside a tab or an admonition opens a section of that container only.
    """
    parents = {id(parent) for parent in tag.parents}
    stack: list[Heading] = []
    for heading, heading_tag in headings:
        container = _container(heading_tag)
        if container is None or id(container) in parents:
            while stack and stack[-1].level >= heading.level:
                stack.pop()
            stack.append(heading)
    yield from stack


def _classes(tag: Tag) -> list[str]:
    value: Any = tag.get("class") or []
    return value.split() if isinstance(value, str) else list(value)


def _tabs(tag: Tag) -> Iterator[Tab]:
    for content in reversed(list(tag.find_parents("div", class_="tabbed-content"))):
        tabbed = content.parent
        if tabbed is None:
            continue
        parents = {id(p) for p in (tag, *tag.parents)}
        bodies = content.find_all("div", class_="tabbed-block", recursive=False)
        labels = tabbed.select(":scope > .tabbed-labels > label")
        for label, body in zip(labels, bodies, strict=True):
            if id(body) in parents:
                yield Tab(str(tabbed.get("data-tabs")), label.get_text().strip())


_INVISIBLE = re.compile(
    r"(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE
)
_NEVER_SHOWN = frozenset({"template", "noscript", "script", "style", "head"})


def _unseen_by_a_reader(tag: Tag) -> str | None:
    """Return why a browser does not show an element, as far as the page itself says.

    What a style sheet hides, the tests of a site have to find in a browser.
    """
    for each in (tag, *tag.parents):
        if each.has_attr("hidden"):
            return f"<{each.name} hidden>"
        if found := _INVISIBLE.search(str(each.get("style") or "")):
            return f"<{each.name} style={found[0]!r}>"
        if each.name in _NEVER_SHOWN:
            return f"<{each.name}>"
    return None


def _block(
    tag: Tag,
    number: int,
    headings: tuple[Heading, ...],
    offset: Offsets,
    tracker: Tracker | None,
    settings: Settings,
) -> Block:
    outer = tag.find_parent("div", class_="highlight") or tag
    code = tag.find("code", recursive=False)
    text = tag.get_text()
    lines = tuple(text.rstrip("\n").split("\n"))
    names = {*_classes(outer), *_classes(tag), *(_classes(code) if code else ())}
    classes = frozenset(n for n in names if not n.startswith("language-") and n != "highlight")
    title = outer.select_one("span.filename")
    marked = outer.get(FENCE_ATTRIBUTE) or tag.get(FENCE_ATTRIBUTE)
    fence, start = None, None
    origins: tuple[Origin | None, ...] = ()
    if tracker and marked is not None:
        fence = tracker.fences[int(str(marked))]
        start = fence.start
        origins = _place(fence, lines)
    elif tracker:
        start = tracker.locate(lines) or Origin(tracker.path, 1)
    named = next((n[9:] for n in sorted(names) if n.startswith("language-")), "text")
    if fence and fence.language in settings.console_languages:
        named = fence.language  # which Pygments need not know
    return Block(
        number,
        _language(named, lines, settings),
        title.get_text().strip() if title else None,
        lines,
        classes,
        tuple(_tabs(tag)),
        headings,
        origins,
        start,
        fence,
        offset(outer),
        settings.prompts,
    )


def _language(named: str, lines: Sequence[str], settings: Settings) -> str:
    """Return the language of a block; that of commands has one name, whatever the author's."""
    if named in settings.console_languages and (
        named not in _SCRIPTS or lines[0].startswith(settings.prompts)
    ):
        return CONSOLE
    return named


def _place(fence: Fence, lines: Sequence[str]) -> tuple[Origin | None, ...]:
    """Pair the rendered lines with those between the fences.

    An extension may have changed them (made links of some, say): then they are paired as long as
    there are as many. What a reader gets is what is rendered.
    """
    written = list(fence.lines)
    while written and not written[0][0].strip() and lines[0].strip():
        written.pop(0)  # Pygments drops empty lines at the top
    while written and len(written) > len(lines) and not written[-1][0].strip():
        written.pop()
    if len(written) == len(lines):
        return tuple(origin for _, origin in written)
    return ()

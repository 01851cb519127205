"""Blocks to positions: which line of which file does each line of a code block come from?

A `Tracker` is told by the preprocessors of proof.preprocessors what becomes of a page's lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import unescape
from pathlib import Path

from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

FENCE_ATTRIBUTE = "data-proof-fence"
"""Names, in the engine's own rendering, the fence that an HTML block was made from."""

_MARKER = re.compile(r"[> \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(`{3,}|~{3,})")


@dataclass(frozen=True, order=True)
class Origin:
    """A line of a source file: its path from the repository's root, and its number from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Fence:
    """A fenced block as SuperFences saw it.

    Attributes:
        number: Its number on the page, from 0.
        language: What the author wrote after the fence, or "".
        known: Whether Pygments knows that language (or none was given).
        start: Position of the opening fence.
        lines: The text between the fences, each line with its origin.
    """

    number: int
    language: str
    known: bool
    start: Origin | None
    lines: tuple[tuple[str, Origin | None], ...]


class Tracker:
    """Watches one conversion of one page.

    Args:
        path: The page, as it is to be named in messages.
        offset: Number of lines (the front matter) that precede the text given to Markdown.
        root: The directory that included files are named from, and includes start from.
    """

    def __init__(self, path: str, offset: int, root: Path) -> None:
        self.path = path
        self.fences: list[Fence] = []
        self.unseen: list[Origin | None] = []
        """Lines that look like a fence and belong to no fenced block that SuperFences took."""
        self.source: list[str] = []
        self.included: list[Path] = []
        """The files that were included."""
        self.offset = offset
        self.root = root
        self.lenient = False
        """Whether what is wrong with a block is left out, not raised."""
        self._page: list[Origin | None] | None = None
        self._origins: list[Origin | None] = []
        self._taken: list[tuple[int, int]] = []

    def changed(self, written: Sequence[str], now: Sequence[str]) -> None:
        """Take note that something (a plugin of the site) changed the lines of the page itself."""
        if written == now:
            return
        matcher = SequenceMatcher(None, written, now, autojunk=False)
        page: list[Origin | None] = []
        for _, start, end, first, last in matcher.get_opcodes():
            for number in range(last - first):
                # A line that was put in has no place; one that was changed has the old one's.
                page.append(self.written(min(start + number, end - 1)) if start < end else None)
        self._page = page

    def written(self, index: int) -> Origin | None:
        """Return where the page's own line with this index (from 0) was written."""
        if self._page is None:
            return Origin(self.path, self.offset + 1 + index)
        return self._page[index] if index < len(self._page) else None

    def name_of(self, path: Path) -> str:
        """Name a file from the root, or in full if it lies elsewhere."""
        try:
            return path.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return str(path)

    def remember(self, origins: Sequence[Origin | None]) -> None:
        """Keep the origins of the page's lines once all files are included.

        A line without one is taken to follow the line before it.
        """
        self._origins = []
        for origin in origins:
            last = self._origins[-1] if self._origins else None
            self._origins.append(origin or (last and Origin(last.path, last.line + 1)))

    def begin(self, lines: Sequence[str]) -> None:
        """Check that the lines that SuperFences is given are still the remembered ones."""
        # Markdown's own clean-up of white space, in between, appends two empty lines.
        if len(lines) != len(self._origins) + 2:
            raise RuntimeError(
                f"{len(self._origins)} lines became {len(lines) - 2} before SuperFences read them,"
                " so that no position can be given; a Markdown extension changes the number of"
                " lines, or a line holds a lone carriage return"
            )
        self.source = list(lines)

    def origin(self, index: int) -> Origin | None:
        """Return where the line with this index (from 0, files included) was written."""
        return self._origins[index] if index < len(self._origins) else None

    def add(self, language: str, text: Sequence[str], start: int, end: int) -> int:
        """Note a fence from line `start` up to, not including, `end`; return its number."""
        lines = tuple((line, self.origin(start + 1 + i)) for i, line in enumerate(text))
        number = len(self.fences)
        self.fences.append(Fence(number, language, _known(language), self.origin(start), lines))
        self._taken.append((start, end))
        return number

    def end(self, lines: Sequence[str]) -> None:
        """Look for fences that SuperFences passed over."""
        inside = {n for start, end in self._taken for n in range(start, end)}
        self.unseen = [
            self.origin(n)
            for n, line in enumerate(lines)
            if n not in inside and _MARKER.match(line) and not _is_inline(line)
        ]

    def locate(self, text: Sequence[str]) -> Origin | None:
        """Find where a block without a fence (indented code, raw HTML) was probably written.

        Args:
            text: The block's lines, as rendered.

        Returns:
            The first place where those lines stand, indented in whatever way, or the first of them
            stands within a line; None if nowhere.
        """
        wanted = [line.strip() for line in text]
        have = [line.lstrip("> \t").rstrip() for line in self.source]
        for start in range(len(have) - len(wanted) + 1):
            if wanted and have[start : start + len(wanted)] == wanted:
                return self.origin(start)
        # On the line of a tag, perhaps, and with entities.
        first = next((line for line in wanted if line), "<pre")
        for number, line in enumerate(self.source):
            if first in unescape(line):
                return self.origin(number)
        return None


def _is_inline(line: str) -> bool:
    """Say whether the line opens and closes a code span of several backticks."""
    match = _MARKER.match(line)
    return match is not None and match.group(1) in line[match.end() :]


def _known(language: str) -> bool:
    if not language:
        return True
    try:
        get_lexer_by_name(language)
    except ClassNotFound:
        return False
    return True

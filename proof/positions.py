"""Blocks to positions: which line of which file does each line of a code block come from?

Two preprocessors of Python-Markdown decide it: Snippets includes files, and SuperFences cuts out
the fenced blocks. Both are replaced by subclasses that do exactly what they did and remember where
the lines came from, so that no second reading of Markdown's rules can disagree with the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import markdown
from markdown.preprocessors import Preprocessor
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound
from pymdownx.snippets import SnippetExtension, SnippetPreprocessor
from pymdownx.superfences import SuperFencesBlockPreprocessor, SuperFencesCodeExtension

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


class _Line(str):
    """A line of text that remembers its origin, also when an indent is put before it."""

    __slots__ = ("origin",)
    origin: Origin | None

    def __new__(cls, text: str, origin: Origin | None) -> _Line:
        line = super().__new__(cls, text)
        line.origin = origin
        return line

    def __radd__(self, indent: str) -> _Line:
        return _Line(str.__add__(indent, self), self.origin)


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


class _Snippets(SnippetPreprocessor):
    """The Snippets preprocessor, whose lines know where they were written."""

    tracker: Tracker

    def read_lines(self, path: str) -> list[str]:
        name = self.tracker.name_of(Path(path))
        return [_Line(text, Origin(name, n)) for n, text in enumerate(super().read_lines(path), 1)]

    def dedent(self, lines: list[str]) -> list[str]:
        dedented: list[str] = super().dedent(lines)
        origins = [getattr(line, "origin", None) for line in lines]
        return [_Line(text, o) for text, o in zip(dedented, origins, strict=True)]

    def run(self, lines: list[str]) -> list[str]:
        included: list[str] = super().run(self.tracker.marked(lines))
        self.tracker.remember(included)
        return [str(line) for line in included]


class _PlainLines(Preprocessor):
    """Stands where Snippets would, on a site that does not include files."""

    tracker: Tracker

    def run(self, lines: list[str]) -> list[str]:
        self.tracker.remember(self.tracker.marked(lines))
        return lines


class _Fences(SuperFencesBlockPreprocessor):
    """The SuperFences preprocessor, which notes every block that it takes."""

    tracker: Tracker

    def search_nested(self, lines: list[str]) -> list[str]:
        self.tracker.begin(lines)
        found: list[str] = super().search_nested(lines)
        self.tracker.end(lines)
        return found

    def _store(self, source: str, code: str, start: int, end: int) -> None:
        text = self.rebuild_block(self.code).split("\n") if self.code else []
        number = self.tracker.add(self.lang or "", text, start, end)
        code = re.sub(r"<(\w+)", rf'<\1 {FENCE_ATTRIBUTE}="{number}"', code, count=1)
        super()._store(source, code, start, end)


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
        self._offset = offset
        self._root = root
        self._origins: list[Origin | None] = []
        self._taken: list[tuple[int, int]] = []

    def watch(self, md: markdown.Markdown) -> None:
        """Put the watching preprocessors in the place of those they stand for."""
        for extension in md.registeredExtensions:
            if isinstance(extension, SuperFencesCodeExtension):
                self._replace_fences(md, extension)
        plain = _PlainLines(md)
        plain.tracker = self
        md.preprocessors.register(plain, "proof_lines", 32)
        for extension in md.registeredExtensions:
            if isinstance(extension, SnippetExtension):
                md.preprocessors.deregister("proof_lines")
                self._replace_snippets(md, extension)

    def _replace_snippets(self, md: markdown.Markdown, extension: SnippetExtension) -> None:
        config = extension.getConfigs()
        base = config["base_path"]
        bases = [base] if isinstance(base, str | Path) else base
        config["base_path"] = [str(self._root / b) for b in bases]
        snippets = _Snippets(config, md)
        snippets.tracker = self
        md.preprocessors.register(snippets, "snippet", 32)

    def _replace_fences(self, md: markdown.Markdown, extension: SuperFencesCodeExtension) -> None:
        fences = _Fences(md)
        fences.tracker = self
        fences.config = extension.getConfigs()
        fences.extension = extension
        # As SuperFencesCodeExtension.patch_fenced_rule does for the preprocessor that it makes.
        for kind in extension.superfences:
            if kind["name"] == "superfences":
                kind["formatter"] = fences.highlight
        md.preprocessors.register(fences, "fenced_code_block", 25)

    def name_of(self, path: Path) -> str:
        """Name a file from the root, or in full if it lies elsewhere."""
        try:
            return path.resolve().relative_to(self._root.resolve()).as_posix()
        except ValueError:
            return str(path)

    def marked(self, lines: Iterable[str]) -> list[str]:
        """Give the page's own lines their origin."""
        numbered = enumerate(lines, self._offset + 1)
        return [_Line(text, Origin(self.path, n)) for n, text in numbered]

    def remember(self, lines: Iterable[str]) -> None:
        """Keep the origins of the page's lines once all files are included."""
        self._origins = []
        for line in lines:
            origin = getattr(line, "origin", None)
            if origin is None and self._origins and (last := self._origins[-1]):
                # Snippets rebuilt the line (an escaped marker): it follows the one before it.
                origin = Origin(last.path, last.line + 1)
            self._origins.append(origin)

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


def locate(tracker: Tracker, text: Sequence[str]) -> Origin | None:
    """Find where a block that has no fence (indented code, raw HTML) was probably written.

    Args:
        tracker: What watched the page's conversion.
        text: The block's lines, as rendered.

    Returns:
        The first place at which those lines stand, indented in whatever way; None if there is none.
    """
    wanted = [line.strip() for line in text]
    have: list[Any] = [line.lstrip("> \t").rstrip() for line in tracker.source]
    for start in range(len(have) - len(wanted) + 1):
        if wanted and have[start : start + len(wanted)] == wanted:
            return tracker.origin(start)
    return None

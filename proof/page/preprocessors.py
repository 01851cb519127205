"""The two preprocessors of Python-Markdown that decide where a code block's lines come from.

Snippets includes files, and SuperFences cuts out the fenced blocks. Both are replaced by subclasses
that do exactly what they did and tell a `Tracker` what they do, so that no second reading of
Markdown's rules can disagree with the first.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import markdown
from markdown.preprocessors import Preprocessor
from pymdownx.highlight import HighlightExtension
from pymdownx.snippets import SnippetExtension, SnippetPreprocessor
from pymdownx.superfences import (
    SuperFencesBlockPreprocessor,
    SuperFencesCodeExtension,
    SuperFencesRawBlockPreprocessor,
)

from proof.errors import ProofError
from proof.page.origins import FENCE_ATTRIBUTE, Origin, Tracker

_MARK = re.compile("\ue000(\\d+):(\\d+)\ue001$")
"""The number of a file, and that of a line in it, between two characters of private use."""


class _Snippets(SnippetPreprocessor):
    """The Snippets preprocessor, whose lines tell where they were written.

    It reads copies of the files, in which each line ends with a mark that says so; the marks are
    taken off again behind it. Other ways in would depend on how one version of it reads files.
    """

    tracker: Tracker

    def run(self, lines: list[str]) -> list[str]:
        page = Path(self.tracker.path)
        self._page = lines
        self._files: list[Path] = [page]
        with tempfile.TemporaryDirectory(prefix="proof-") as folder:
            self._folder = Path(folder)
            included: list[str] = super().run(self._mark(lines, 0))
        names = [self.tracker.path, *(self.tracker.name_of(file) for file in self._files[1:])]
        marks = [_MARK.search(line) for line in included]
        self.tracker.remember(
            [
                m and (Origin(names[int(m[1])], int(m[2])) if int(m[1]) else self._own(int(m[2])))
                for m in marks
            ]
        )
        return [_MARK.sub("", line) for line in included]

    def _own(self, number: int) -> Origin | None:
        return self.tracker.written(number - 1)

    def get_snippet_path(self, path: str) -> str | None:
        found: str | None = super().get_snippet_path(path)
        if found is None:
            return None
        file = Path(found)
        if file not in self._files:
            self._files.append(file)
            self.tracker.included.append(file)
        number = self._files.index(file)
        copy = self._folder / str(number)
        if not copy.exists():
            lines = self._read(path, file).split("\n")
            copy.write_text("\n".join(self._mark(lines, number)), encoding=self.encoding)
        return str(copy)

    def _read(self, path: str, file: Path) -> str:
        """Read an included file.

        Args:
            path: As the page has it.
            file: What that leads to.

        Raises:
            ProofError: It cannot be read, or is not of this repository; with the line of the page.
        """
        fault = ""
        if not file.resolve().is_relative_to(self.tracker.root.resolve()):
            fault = "leads out of the repository by a link"
        elif not file.is_file():
            fault = "is no file"
        else:
            try:
                return file.read_text(encoding=self.encoding)
            except (OSError, UnicodeDecodeError) as error:
                fault = f"cannot be read ({error})"
        index = next((index for index, text in enumerate(self._page) if path in text), None)
        where = (index is not None and self.tracker.written(index)) or self.tracker.path
        raise ProofError(f"{where}: the included file {path!r} {fault}; include another")

    def _mark(self, lines: list[str], file: int) -> list[str]:
        """Mark all lines but empty ones (which `dedent` passes over) and Snippets' own notation."""
        marked: list[str] = []
        listing = False
        for number, line in enumerate(lines, 1):
            notation = self.RE_ALL_SNIPPETS.match(line)
            if notation or listing or not line.strip():
                marked.append(line)
            else:
                marked.append(f"{line}\ue000{file}:{number}\ue001")
            if notation and notation["block_marker"] and not notation["escape"]:
                listing = not listing
        return marked


class _PlainLines(Preprocessor):
    """Stands where Snippets would, on a site that does not include files."""

    tracker: Tracker

    def run(self, lines: list[str]) -> list[str]:
        self.tracker.remember([self.tracker.written(index) for index in range(len(lines))])
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


class _RawFences(SuperFencesRawBlockPreprocessor):
    """What SuperFences puts fences aside with while Markdown replaces tabs.

    An empty block would come back with a line more than it had, and shift all below it.
    """

    def _store(self, source: str, code: str, start: int, end: int) -> None:
        super()._store(source if self.code else "", code, start, end)


def name_languages(md: markdown.Markdown) -> None:
    """Let code blocks say their language in the HTML, whether or not the site asks for it."""
    for extension in md.registeredExtensions:
        if isinstance(extension, HighlightExtension):
            extension.config["pygments_lang_class"][0] = extension.enabled = True


def watch(md: markdown.Markdown, tracker: Tracker) -> None:
    """Put the watching preprocessors in the place of those they stand for."""
    name_languages(md)
    plain = True
    for extension in list(md.registeredExtensions):
        if isinstance(extension, SuperFencesCodeExtension):
            _replace_fences(md, extension, tracker)
        elif isinstance(extension, SnippetExtension):
            _replace_snippets(md, extension, tracker)
            plain = False
    if plain:
        lines = _PlainLines(md)
        lines.tracker = tracker
        md.preprocessors.register(lines, "proof_lines", 32)


def _replace_snippets(md: markdown.Markdown, extension: SnippetExtension, tracker: Tracker) -> None:
    config = extension.getConfigs()
    base = config["base_path"]
    # Snippets would start from the directory that the process happens to be in.
    bases = [base] if isinstance(base, str | Path) else base
    config["base_path"] = [str(tracker.root / b) for b in bases]
    snippets = _Snippets(config, md)
    snippets.tracker = tracker
    md.preprocessors.register(snippets, "snippet", 32)


def _replace_fences(
    md: markdown.Markdown, extension: SuperFencesCodeExtension, tracker: Tracker
) -> None:
    fences = _Fences(md)
    fences.tracker = tracker
    fences.config = extension.getConfigs()
    fences.extension = extension
    # As SuperFencesCodeExtension.patch_fenced_rule does for the preprocessor that it makes.
    for kind in extension.superfences:
        if kind["name"] == "superfences":
            kind["formatter"] = fences.highlight
    md.preprocessors.register(fences, "fenced_code_block", 25)
    if fences.config["preserve_tabs"]:
        raw = _RawFences(md)
        raw.config, raw.extension = fences.config, extension
        md.preprocessors.register(raw, "fenced_raw_block", 31.05)

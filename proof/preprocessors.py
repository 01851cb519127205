"""The two preprocessors of Python-Markdown that decide where a code block's lines come from.

Snippets includes files, and SuperFences cuts out the fenced blocks. Both are replaced by subclasses
that do exactly what they did and tell a `Tracker` what they do, so that no second reading of
Markdown's rules can disagree with the first.
"""

from __future__ import annotations

import re
from pathlib import Path

import markdown
from markdown.preprocessors import Preprocessor
from pymdownx.snippets import SnippetExtension, SnippetPreprocessor
from pymdownx.superfences import (
    SuperFencesBlockPreprocessor,
    SuperFencesCodeExtension,
    SuperFencesRawBlockPreprocessor,
)

from proof.positions import FENCE_ATTRIBUTE, Line, Origin, Tracker


class _Snippets(SnippetPreprocessor):
    """The Snippets preprocessor, whose lines know where they were written."""

    tracker: Tracker

    def read_lines(self, path: str) -> list[str]:
        name = self.tracker.name_of(Path(path))
        return [Line(text, Origin(name, n)) for n, text in enumerate(super().read_lines(path), 1)]

    def dedent(self, lines: list[str]) -> list[str]:
        dedented: list[str] = super().dedent(lines)
        origins = [getattr(line, "origin", None) for line in lines]
        return [Line(text, o) for text, o in zip(dedented, origins, strict=True)]

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


class _RawFences(SuperFencesRawBlockPreprocessor):
    """What SuperFences puts fences aside with while Markdown replaces tabs.

    An empty block would come back with a line more than it had, and shift all below it.
    """

    def _store(self, source: str, code: str, start: int, end: int) -> None:
        super()._store(source if self.code else "", code, start, end)


def watch(md: markdown.Markdown, tracker: Tracker) -> None:
    """Put the watching preprocessors in the place of those they stand for."""
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

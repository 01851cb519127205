"""Records to figures: a Python-Markdown extension that counts what the site can be trusted for.

On a page, `[[examples]]`, `[[kernels]]`, `[[libbpf]]` and `[[blocks]]` are replaced by the number
of examples, of kernel series and libbpf versions that they ran on, and of code blocks accounted
for.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

from proof.page.pages import open_pages
from proof.record.coverage import Fate, cover
from proof.record.record import read_all

_rendering: set[Path] = set()
"""Sites whose pages are rendered to be counted, and whose figures are therefore not known yet."""


@cache
def figures(config: Path) -> dict[str, int]:
    """Count.

    Args:
        config: Of mkdocs.yml.
    """
    _rendering.add(config)
    try:
        site = open_pages(config)
        coverage = cover(site)
    finally:
        _rendering.discard(config)
    kept = list(read_all(site.records))
    runs = [run for record in kept for run in record.shown]
    return {
        "examples": len(kept),
        "kernels": len({run.series for run in runs}),
        "libbpf": len({run.place["libbpf"] for run in runs}),
        "blocks": sum(line.fate is not Fate.NONE for line in coverage.lines),
    }


class FiguresExtension(Extension):
    """Writes the figures into sentences."""

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register the pattern, before that of links, whose text a figure may be in."""
        pattern = r"\[\[(examples|kernels|libbpf|blocks)\]\]"
        md.inlinePatterns.register(_Figure(pattern, md), "house_figure", 175)


class _Figure(InlineProcessor):
    def handleMatch(  # type: ignore[override]  # noqa: N802 (the library's name)
        self, m: re.Match[str], data: str
    ) -> tuple[str, int, int]:
        config = Path("mkdocs.yml").resolve()
        # Who renders the pages to count their blocks comes here as well, and would count for ever.
        known = {} if config in _rendering else figures(config)
        return str(known.get(m[1], m[1])), m.start(0), m.end(0)


def makeExtension(**settings: object) -> FiguresExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return FiguresExtension(**settings)

"""The extension itself: badges and copies go into a page's HTML, reports into its Markdown."""

from __future__ import annotations

from pathlib import Path

import markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from mkdocs.exceptions import BuildError

from proof import settings
from proof.errors import ProofError
from proof.page.blocks import parse
from proof.page.pages import open_pages
from proof.page.preprocessors import name_languages
from proof.site import coverage_page, kernels_page
from proof.site.badge import badges
from proof.site.copying import copies

_REPORTS = {
    coverage_page.MARKER: coverage_page.report,
    kernels_page.MARKER: kernels_page.report,
}
"""What writes a report, by the line that it stands for.

A report is Markdown, whose links the site checks like those that an author wrote.
"""


class ProofExtension(Extension):
    """Shows what was proved.

    Its option `config` is the path of mkdocs.yml from the directory that the build runs in, which
    must be the root of the repository.
    """

    def __init__(self, **options: object) -> None:
        self.config = {"config": ["mkdocs.yml", "The site's settings"]}
        super().__init__(**options)

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register what reads lines before all others, and what reads HTML once it is whole."""
        config = Path(self.getConfig("config"))
        md.preprocessors.register(_Reports(md, config), "proof reports", 40)
        # Behind the one (at 30) that puts code blocks in place.
        md.postprocessors.register(_Shown(md, config), "proof", -10)


class _Reports(Preprocessor):
    def __init__(self, md: markdown.Markdown, config: Path) -> None:
        super().__init__(md)
        self._config = config

    def run(self, lines: list[str]) -> list[str]:
        name_languages(self.md)
        for marker in _REPORTS.keys() & set(lines):
            at = lines.index(marker)
            try:
                report = _REPORTS[marker](open_pages(self._config))
            except ProofError as error:
                raise BuildError(str(error)) from error
            lines = [*lines[:at], "", *report, "", *lines[at + 1 :]]
        return lines


class _Shown(Postprocessor):
    def __init__(self, md: markdown.Markdown, config: Path) -> None:
        super().__init__(md)
        self._root = config.resolve().parent

    def run(self, text: str) -> str:
        chosen = settings.read(self._root)
        # Most pages have no commands: do not parse them.
        if not any(f"language-{name}" in text for name in chosen.console_languages):
            return text
        try:
            page = parse(text, settings=chosen)
            added = [*badges(page, self._root), *copies(page, text)]
        except ProofError as error:
            # The one exception that MkDocs reports in a line, with the page, and no traceback.
            raise BuildError(str(error)) from error
        # From the end, so that each insertion leaves the places before it as they are.
        for offset, html in sorted(added, reverse=True):
            text = text[:offset] + html + text[offset:]
        return text

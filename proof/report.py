"""Report to page: what those Python-Markdown extensions share that write one for a page.

A report stands for a line of its own, a marker. It is Markdown, whose links the site checks like
those that an author wrote.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from proof.page import Site

Write = Callable[[Site, Path, str], list[str]]
"""Writes a report: of a site, from its records, for a page named from the docs directory."""


class ReportExtension(Extension):
    """Writes a report.

    Its options are paths from the directory that the build runs in: `config`, of mkdocs.yml;
    `records`, of the records; `page`, of the page that holds the marker, from the docs directory.

    Args:
        marker: The line that the report stands for.
        page: The page that holds it, unless the settings name another.
        write: Writes the report.
        settings: The options.
    """

    def __init__(self, marker: str, page: str, write: Write, **settings: object) -> None:
        self._marker, self._write = marker, write
        self.config = {
            "config": ["mkdocs.yml", "The site's settings"],
            "records": ["records", "Directory of the records"],
            "page": [page, "The page that shows the report"],
        }
        super().__init__(**settings)

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register the preprocessor, in front of whatever reads lines."""
        writer = _Writer(md, self._marker, self._write, self.getConfigs())
        md.preprocessors.register(writer, f"proof {self._marker}", 40)


class _Writer(Preprocessor):
    def __init__(
        self, md: markdown.Markdown, marker: str, write: Write, options: dict[str, str]
    ) -> None:
        super().__init__(md)
        self._marker, self._write, self._options = marker, write, options

    def run(self, lines: list[str]) -> list[str]:
        if self._marker not in lines:
            return lines
        at = lines.index(self._marker)
        site, records = Site(Path(self._options["config"])), Path(self._options["records"])
        report = self._write(site, records, self._options["page"])
        return [*lines[:at], "", *report, "", *lines[at + 1 :]]


def row(cells: list[str]) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def title_of(path: str, docs: str) -> str:
    """Name a page by its title, the first heading; a file outside the docs by its path."""
    name = PurePosixPath(path)
    if not name.is_relative_to(docs):
        return f"`{name}`"
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        text = ""
    heading = re.search(r"(?m)^# (.+?)(?: \{[^}]*\})?$", text)
    return heading[1] if heading else f"`{name.stem}`"


def link(path: str, docs: str, page: str, heading: str = "") -> str:
    """Write a link to a page, or just the name of what is not on the site.

    Args:
        path: The page's path from the repository's root.
        docs: The directory of the pages, from there.
        page: The page that the link will stand on, from the docs directory.
        heading: The id of a heading there.
    """
    title = title_of(path, docs)
    if not path.startswith(f"{docs}/"):
        return title
    return f"[{title}]({relative(path, docs, page)}{'#' * bool(heading)}{heading})"


def relative(path: str, docs: str, page: str) -> str:
    """Return the way to a page from another one, which is named from the docs directory."""
    here = PurePosixPath(docs, page).parent
    return Path(os.path.relpath(path, here)).as_posix()

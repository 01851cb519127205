"""Coverage to page: a Python-Markdown extension that writes the account where a page asks for it.

It stands for a line `<!-- [COVERAGE] -->`, and writes Markdown, whose links the site checks like
those that an author wrote.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path, PurePosixPath

import markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from proof.coverage import Coverage, Fate, Line, count, cover
from proof.page import Site

MARKER = "<!-- [COVERAGE] -->"
_COLUMNS = {
    Fate.RAN: "Ran",
    Fate.COMPILED: "Compiled",
    Fate.REFUSED: "Refused",
    Fate.ILLUSTRATION: "Shown",
    Fate.NONE: "Unknown",
}


class CoverageExtension(Extension):
    """Writes the account.

    Its options are paths from the directory that the build runs in: `config`, of mkdocs.yml;
    `records`, of the records; `page`, of the page that holds the marker, from the docs directory.
    """

    def __init__(self, **settings: object) -> None:
        self.config = {
            "config": ["mkdocs.yml", "The site's settings"],
            "records": ["records", "Directory of the records"],
            "page": ["coverage.md", "The page that shows the account"],
        }
        super().__init__(**settings)

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register the preprocessor, in front of whatever reads lines."""
        options = self.getConfigs()
        writer = _Writer(md, options["config"], options["records"], options["page"])
        md.preprocessors.register(writer, "proof_coverage", 40)


class _Writer(Preprocessor):
    def __init__(self, md: markdown.Markdown, config: str, records: str, page: str) -> None:
        super().__init__(md)
        self._config, self._records, self._page = Path(config), Path(records), page

    def run(self, lines: list[str]) -> list[str]:
        if MARKER not in lines:
            return lines
        at = lines.index(MARKER)
        site = Site(self._config)
        docs = Path(site.config["docs_dir"]).resolve().relative_to(site.root).as_posix()
        report = as_markdown(cover(site, self._records), docs, self._page)
        return [*lines[:at], "", *report, "", *lines[at + 1 :]]


def as_markdown(coverage: Coverage, docs: str, page: str) -> list[str]:
    """Write the account as Markdown: what is missing, a table of the pages, a table for each.

    Args:
        coverage: The account.
        docs: The directory of the pages, from the repository's root.
        page: The page that it will stand on, from there.
    """
    lines = [f"**{coverage.percent} %** of {count(coverage.lines)}.", ""]
    for problem in coverage.problems:
        lines += [f"- `{problem.splitlines()[0]}`"]
    # A column of noughts says less than the 100 % above it.
    fates = [f for f in _COLUMNS if f is not Fate.NONE or coverage.problems]
    heads = ["Page", "Blocks", *(_COLUMNS[fate] for fate in fates)]
    lines += ["", row(heads), row(["---", *["--:"] * (len(heads) - 1)])]
    for path, its in coverage.pages.items():
        counted = Counter(line.fate for line in its)
        numbers = [str(counted[fate]) for fate in fates]
        lines.append(row([link(path, docs, page), str(len(its)), *numbers]))
    for path, its in coverage.pages.items():
        lines += ["", f"## {_title(path, docs)}", ""]
        lines += [row(["Line", "Block", "What became of it"]), row(["--:", "---", "---"])]
        lines += [_line(line, path, docs, page) for line in its]
    return lines


def _line(line: Line, path: str, docs: str, page: str) -> str:
    start = line.block.start
    tabs = " / ".join(tab.label for tab in line.block.tabs)
    what = f"`{line.what}`" + (f" ({tabs})" if tabs else "")
    number = str(start.line) if start else ""
    fate = line.fate.value
    if line.kernels:
        fate += f"; Linux {', '.join(line.kernels)}"
    if line.fate is Fate.NONE:
        fate = f"**{fate}**"
    heading = line.block.headings[-1].id if line.block.headings else ""
    if path.startswith(f"{docs}/") and number:
        number = f"[{number}]({_relative(path, docs, page)}{'#' * bool(heading)}{heading})"
    return row([number, what, fate])


def row(cells: list[str]) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _title(path: str, docs: str) -> str:
    """Name a page by the end of its address, or a file outside the docs by its path."""
    name = PurePosixPath(path)
    if not name.is_relative_to(docs):
        return f"`{name}`"
    inside = name.relative_to(docs).with_suffix("")
    if inside.name == "index":
        inside = inside.parent
    return f"`{inside.name}`" if inside.name else "Home"


def link(path: str, docs: str, page: str, heading: str = "") -> str:
    """Write a link to a page, or just the name of what is not on the site.

    Args:
        path: The page's path from the repository's root.
        docs: The directory of the pages, from there.
        page: The page that the link will stand on, from the docs directory.
        heading: The id of a heading there.
    """
    title = _title(path, docs)
    if not path.startswith(f"{docs}/"):
        return title
    return f"[{title}]({_relative(path, docs, page)}{'#' * bool(heading)}{heading})"


def _relative(path: str, docs: str, page: str) -> str:
    here = PurePosixPath(docs, page).parent
    return Path(os.path.relpath(path, here)).as_posix()


def makeExtension(**settings: object) -> CoverageExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return CoverageExtension(**settings)

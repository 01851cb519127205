"""Coverage to page: a Python-Markdown extension that writes the account where a page asks for it.

It stands for a line `<!-- [COVERAGE] -->`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from proof.coverage import Coverage, Fate, Line, count, cover
from proof.page import Site
from proof.report import ReportExtension, link, relative, row, title_of

MARKER = "<!-- [COVERAGE] -->"
_COLUMNS = {
    Fate.RAN: "Ran",
    Fate.COMPILED: "Compiled",
    Fate.REFUSED: "Refused",
    Fate.ILLUSTRATION: "Shown",
    Fate.NONE: "Unknown",
}


def as_markdown(coverage: Coverage, docs: str, page: str) -> list[str]:
    """Write the account as Markdown: what is missing, a table of the pages, a table for each.

    Args:
        coverage: The account.
        docs: The directory of the pages, from the repository's root.
        page: The page that it will stand on, from there.
    """
    lines = [f"**{coverage.percent} %** of {count(coverage.lines)}.", ""]
    for problem in coverage.problems:
        lines += [f"- ``{problem.splitlines()[0]}``"]
    # A column of noughts says less than the 100 % above it.
    fates = [f for f in _COLUMNS if f is not Fate.NONE or coverage.problems]
    heads = ["Page", "Blocks", *(_COLUMNS[fate] for fate in fates)]
    lines += ["", row(heads), row(["---", *["--:"] * (len(heads) - 1)])]
    for path, its in coverage.pages.items():
        counted = Counter(line.fate for line in its)
        numbers = [str(counted[fate]) for fate in fates]
        lines.append(row([link(path, docs, page), str(len(its)), *numbers]))
    for path, its in coverage.pages.items():
        lines += ["", f"## {title_of(path, docs)}", ""]
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
        number = f"[{number}]({relative(path, docs, page)}{'#' * bool(heading)}{heading})"
    return row([number, what, fate])


def _write(site: Site, records: Path, page: str) -> list[str]:
    return as_markdown(cover(site, records), site.docs, page)


def makeExtension(**settings: object) -> ReportExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return ReportExtension(MARKER, "coverage.md", _write, **settings)

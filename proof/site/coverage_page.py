"""Coverage to page: the account of every block, for a page with the line `<!-- [COVERAGE] -->`."""

from __future__ import annotations

from collections import Counter

from proof.page.pages import Pages
from proof.record.coverage import Coverage, Fate, count, cover
from proof.site.report import link, page_with, row

MARKER = "<!-- [COVERAGE] -->"
_COLUMNS = {
    Fate.RAN: "Ran",
    Fate.COMPILED: "Compiled",
    Fate.REFUSED: "Refused",
    Fate.ILLUSTRATION: "Shown",
    Fate.NONE: "Unknown",
}


def as_markdown(coverage: Coverage, site: Pages, page: str) -> list[str]:
    """Write the account as Markdown: what is missing, and a table of the pages.

    Args:
        coverage: The account.
        site: The site.
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
        lines.append(row([link(path, site, page), str(len(its)), *numbers]))
    return lines


def report(site: Pages) -> list[str]:
    """Write the account of a site, for the page that has the marker."""
    return as_markdown(cover(site), site, page_with(MARKER, site))

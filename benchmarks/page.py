"""The performance page and its pictures, from recorded results.

The page's sentences are written by hand; what stands between the markers comes from here.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import tables
from benchmarks.build import ROOT
from benchmarks.picture import COLOURS, draw, shown
from benchmarks.results import RECORDED, Results

PAGE = ROOT / "docs" / "performance.md"
PICTURE = "assets/performance-{}.svg"


def parts(results: Results) -> dict[str, str]:
    """Return what belongs between the markers, by their names."""
    figures = "".join(
        f"### {heading}\n\n{tables.markdown(tables.FIGURE_HEAD, list(tables.figure_rows(rows)))}\n"
        for heading, rows in tables.groups(results)
    )
    described = " ".join(shown(results))
    return {
        "GOALS": tables.markdown(tables.GOAL_HEAD, list(tables.goal_rows(results))),
        "PICTURE": "".join(
            f"![{described}]({PICTURE.format(theme)}#only-{theme}){{ .chart }}\n"
            for theme in COLOURS
        ),
        "FIGURES": figures,
        "MACHINE": tables.markdown(("Part", "What it was"), list(results.machine.items())),
    }


def replaced(text: str, name: str, content: str) -> str:
    """Return the page with new content between the two markers of this name."""
    before, begin, rest = text.partition(f"<!-- [{name}] -->\n")
    _, end, after = rest.partition(f"<!-- [/{name}] -->\n")
    if not end:
        raise ValueError(f"{PAGE} lacks the markers [{name}] and [/{name}]")
    return before + begin + content + end + after


def files(results: Results) -> dict[Path, str]:
    """Return the page and the pictures as they ought to be."""
    text = PAGE.read_text()
    for name, content in parts(results).items():
        text = replaced(text, name, content)
    made = {PAGE: text}
    for theme in COLOURS:
        made[ROOT / "docs" / PICTURE.format(theme)] = draw(results, theme)
    return made


def write() -> None:
    """Draws the page anew from the recorded results."""
    for path, text in files(Results.load(RECORDED)).items():
        path.write_text(text)

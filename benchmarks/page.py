"""The performance page and its pictures, from recorded results.

The page's sentences are written by hand; what stands between the markers comes from here.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import tables
from benchmarks.build import ROOT
from benchmarks.picture import COLOURS, draw, shown
from benchmarks.results import RECORDED, Results
from facts.regions import Writer, regions, rewrite

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


def _given(part: str) -> Writer:
    return lambda _: part.removesuffix("\n")


def files(results: Results) -> dict[Path, str]:
    """Return the page and the pictures as they ought to be."""
    text = PAGE.read_text()
    made_of = parts(results)
    if missing := made_of.keys() - {region.name for region in regions(text, "", made_of)}:
        raise ValueError(f"{PAGE} lacks the markers of {', '.join(sorted(missing))}")
    made = {PAGE: rewrite(text, "", {name: _given(part) for name, part in made_of.items()})}
    for theme in COLOURS:
        made[ROOT / "docs" / PICTURE.format(theme)] = draw(results, theme)
    return made


def write() -> None:
    """Draws the page anew from the recorded results."""
    for path, text in files(Results.load(RECORDED)).items():
        path.write_text(text)

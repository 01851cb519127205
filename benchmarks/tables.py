"""The results in words and tables, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from benchmarks.figures import Figure, Spread
from benchmarks.goals import GOALS, Verdict
from benchmarks.results import Results

Row = tuple[str, ...]
EVERY_TIME = ("ms", "KiB")
"""Units of which the largest value counts: of interrupted waits, and of memory."""
GOAL_HEAD = ("What", "Target", "Measured", "Result")
FIGURE_HEAD = ("What", "userrb", "C program", "userrb : C")


def number(value: float) -> str:
    """Return three significant digits, or the whole number if that is longer."""
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def spread(value: Spread) -> str:
    """Return the median and, if they differ, the quartiles."""
    low, median, high = map(number, (value.low, value.median, value.high))
    return median if low == high else f"{median} ({low} to {high})"


def cell(figure: Figure) -> str:
    """Return what userrb took; of what has to hold every time, the largest value as well."""
    value = figure.userrb
    most = ""
    if figure.unit in EVERY_TIME and value.most > value.high:
        most = f", at most {number(value.most)}"
    return f"{spread(value)} {figure.unit}{most}"


def goal_rows(results: Results) -> Iterator[Row]:
    """Yield a row a goal."""
    for goal in GOALS:
        figure = results.figure(goal.key)
        verdict = goal.verdict(results)
        words = verdict.value
        if verdict is not Verdict.MET:
            words += f" by {goal.shortfall(results)}"
        # A figure that the tables above have is shown as it is there.
        same = goal.unit == figure.unit
        measured = cell(figure) if same else f"{spread(goal.measured(figure))} {goal.unit}"
        yield figure.what, goal.words, measured, words


def groups(results: Results) -> Iterator[tuple[str, list[Figure]]]:
    """Yield the figures under their headings."""
    for heading, figures in groupby(results.figures, key=lambda figure: figure.group):
        yield heading, list(figures)


def figure_rows(figures: Sequence[Figure]) -> Iterator[Row]:
    """Yield a row a figure."""
    for figure in figures:
        c = f"{spread(figure.c)} {figure.unit}" if figure.c else ""
        ratio = spread(figure.ratio) if figure.ratio else ""
        yield figure.what, cell(figure), c, ratio


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def plain(head: Row, rows: Sequence[Row]) -> str:
    """Return a table for the terminal."""
    lines = [[cell.replace("`", "") for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "".join(f"{line.rstrip()}\n" for line in padded)

"""The picture on the performance page: bars on a logarithmic scale, light and dark.

Written here, not with a plotting library: it is a dozen bars, the test that compares it with the
results needs it byte for byte on every machine, and neither the site nor the tests should install a
library for it. Text stays text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from benchmarks.figures import Spread, present
from benchmarks.results import Results

PANELS = (
    (
        "Nanoseconds to produce a record of 8 bytes",
        ("submit_many", "submit_many_by_100", "write", "fill", "pack", "with"),
        "C: reserve, store, submit",
    ),
    (
        "Nanoseconds to produce it and have the kernel read it",
        ("through_submit_many", "packed_fill", "packed_write", "packed_submit_many", "packed_c"),
        "C: one record a sample",
    ),
)
SHORT = {
    "submit_many": "submit_many, a ringful",
    "submit_many_by_100": "submit_many, 100 records",
    "write": "write",
    "fill": "reserve, sample[:] = ..., submit",
    "pack": "reserve, pack_into, submit",
    "with": "with reserve ...",
    "through_submit_many": "submit_many, one record a sample",
    "packed_fill": "500 a sample, with reserve ...",
    "packed_write": "500 a sample, write",
    "packed_submit_many": "500 a sample, submit_many",
    "packed_c": "C: 500 a sample",
}
# As wide as a phone's screen, where its letters are then as large as those of the text. So the name
# of a bar is above it.
WIDTH, LEFT, RIGHT = 390, 14, 50
ROW, BAR, TITLE, AXIS = 38, 14, 44, 36
SCALE = WIDTH - LEFT - RIGHT

Point = tuple[float, float]


@dataclass(frozen=True)
class Colours:
    """What light and dark differ in. Each stands out by 4.5 : 1 or more against its page."""

    text: str
    grid: str
    userrb: str
    c: str


COLOURS = {
    "light": Colours(text="#1b1b1f", grid="#d5d5dc", userrb="#3f51b5", c="#757575"),
    "dark": Colours(text="#e4e4ec", grid="#44465a", userrb="#9fa8da", c="#9e9e9e"),
}


def draw(results: Results, theme: str) -> str:
    """Return the picture as SVG, for a "light" or a "dark" page."""
    colours = COLOURS[theme]
    panels = [_bars(results, keys, base) for _, keys, base in PANELS]
    height = sum(TITLE + ROW * len(bars) + AXIS for bars in panels)
    svg = ET.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
    )
    svg.set("font-family", "system-ui, sans-serif")
    svg.set("font-size", "13")
    ET.SubElement(svg, "title").text = "userrb and the C loop: nanoseconds a record"
    top = 0
    for (title, _, _), bars in zip(PANELS, panels, strict=True):
        _panel(svg, top, title, bars, colours)
        top += TITLE + ROW * len(bars) + AXIS
    ET.indent(svg)
    return ET.tostring(svg, encoding="unicode") + "\n"


@dataclass(frozen=True)
class Bar:
    """A line of the picture."""

    label: str
    value: Spread
    is_c: bool


def _bars(results: Results, keys: tuple[str, ...], base: str) -> list[Bar]:
    figures = [results.figure(key) for key in keys]
    bars = [Bar(base, present(figures[0].c), True)]
    bars += [Bar(SHORT[figure.key], figure.userrb, figure.key.endswith("_c")) for figure in figures]
    return bars


def _panel(svg: ET.Element, top: int, title: str, bars: list[Bar], colours: Colours) -> None:
    first = math.floor(math.log10(min(bar.value.low for bar in bars)))
    last = math.ceil(math.log10(max(bar.value.high for bar in bars)))

    def x(value: float) -> float:
        return LEFT + SCALE * (math.log10(value) - first) / (last - first)

    _text(svg, title, (0, top + 20), colours.text, weight="600")
    bottom = top + TITLE + ROW * len(bars)
    for power in range(first, last + 1):
        at = x(10.0**power)
        _line(svg, (at, top + TITLE), (at, bottom), colours.grid)
        _text(svg, f"{10.0**power:g}", (at, bottom + 16), colours.text, anchor="middle")
    for number, bar in enumerate(bars):
        middle = top + TITLE + ROW * number + ROW - BAR / 2 - 4
        _text(svg, bar.label, (LEFT, middle - BAR / 2 - 5), colours.text)
        start, end = x(10.0**first), x(bar.value.median)
        rect = ET.SubElement(svg, "rect", fill=colours.c if bar.is_c else colours.userrb, rx="2")
        _place(rect, x=start, y=middle - BAR / 2, width=end - start, height=BAR)
        low, high = x(bar.value.low), x(bar.value.high)
        _line(svg, (low, middle), (high, middle), colours.text)
        _text(svg, f"{bar.value.median:.3g}", (high + 6, middle + 4.5), colours.text)


def _place(element: ET.Element, **places: float) -> None:
    for name, place in places.items():
        element.set(name, f"{place:.1f}")


def _line(svg: ET.Element, start: Point, end: Point, colour: str) -> None:
    line = ET.SubElement(svg, "line", stroke=colour)
    _place(line, x1=start[0], y1=start[1], x2=end[0], y2=end[1])


def _text(
    svg: ET.Element,
    text: str,
    at: Point,
    colour: str,
    *,
    anchor: str = "start",
    weight: str = "400",
) -> None:
    element = ET.SubElement(svg, "text", fill=colour)
    _place(element, x=at[0], y=at[1])
    element.set("text-anchor", anchor)
    element.set("font-weight", weight)
    element.text = text


def shown(results: Results) -> Iterator[str]:
    """Yield every label of the picture's bars, for its description."""
    for title, keys, base in PANELS:
        bars = ", ".join(
            f"{bar.label} {bar.value.median:.3g}" for bar in _bars(results, keys, base)
        )
        yield f"{title}: {bars}."

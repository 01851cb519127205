"""The targets for userrb, and whether a run meets them.

A target is met when the median meets it. If the median misses it, but the better quartile meets it,
it is missed within noise. Only a target that the better quartile misses as well makes `make bench`
fail: other work on the machine seldom does that, a slower userrb always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from benchmarks.figures import Figure, Spread, present
from benchmarks.results import Results


class Verdict(Enum):
    """How a goal and a measurement compare."""

    MET = "met"
    NOISE = "missed within noise"
    MISSED = "missed"


@dataclass(frozen=True)
class Goal:
    """One line of the table of goals.

    Attributes:
        key: The figure that it is about.
        words: What is asked for.
        unit: Of the measured value.
        measured: The value, from the figure.
        limit: What the value is held against, from the figure.
        at_least: Whether more is better.
    """

    key: str
    words: str
    unit: str
    measured: Callable[[Figure], Spread]
    limit: Callable[[Figure], float]
    at_least: bool = False

    def verdict(self, results: Results) -> Verdict:
        """Compare."""
        figure = results.figure(self.key)
        value, limit = self.measured(figure), self.limit(figure)
        sign = -1 if self.at_least else 1
        if sign * value.median <= sign * limit:
            return Verdict.MET
        better = value.high if self.at_least else value.low
        return Verdict.NOISE if sign * better <= sign * limit else Verdict.MISSED

    def shortfall(self, results: Results) -> str:
        """Return by how much the median misses the limit: in percent, or of zero in its unit."""
        figure = results.figure(self.key)
        value, limit = self.measured(figure).median, self.limit(figure)
        missing = limit - value if self.at_least else value - limit
        return f"{100 * missing / limit:.3g} %" if limit else f"{missing:.3g} {self.unit}"


def _time(figure: Figure) -> Spread:
    return figure.userrb


def _ratio(figure: Figure) -> Spread:
    return present(figure.ratio)


def _faster(figure: Figure) -> Spread:
    return _ratio(figure).inverse()


def _worst(figure: Figure) -> Spread:
    most = figure.userrb.most
    return Spread(most, most, most, most, figure.userrb.count)


def _constant(limit: float) -> Callable[[Figure], float]:
    return lambda _: limit


def _larger(ns: float, times: float) -> Callable[[Figure], float]:
    return lambda figure: max(ns, times * present(figure.c).median)


LOOP = "at most 300 ns, or 35 times the C loop if that is more"
GOALS = (
    Goal("submit_many", "10 times faster than the C loop", "times", _faster, _constant(10), True),
    Goal(
        "write",
        "at most 130 ns, or 15 times the C loop if that is more",
        "ns",
        _time,
        _larger(130, 15),
    ),
    Goal("fill", LOOP, "ns", _time, _larger(300, 35)),
    Goal("pack", LOOP, "ns", _time, _larger(300, 35)),
    Goal(
        "packed_write",
        "20 times the records per second of the C program",
        "times",
        _faster,
        _constant(20),
        True,
    ),
    Goal("cpu_partly", "under 1 % of a core", "%", _time, _constant(1)),
    Goal("latency", "at most 1.25 times libbpf's", "times", _ratio, _constant(1.25)),
    Goal("interrupt_full", "within 50 ms, every time", "ms", _worst, _constant(50)),
    Goal("interrupt_partly", "within 50 ms, every time", "ms", _worst, _constant(50)),
    Goal("memory_write", "0 KiB", "KiB", _time, _constant(0)),
    Goal("memory_with", "0 KiB", "KiB", _time, _constant(0)),
    Goal("memory_submit_many", "0 KiB", "KiB", _time, _constant(0)),
)

"""A figure: what was measured, how far it spreads, and how it compares with C."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def rounded(value: float) -> float:
    """Return four significant digits."""
    return float(f"{value:.4g}")


@dataclass(frozen=True)
class Spread:
    """Median, quartiles, the largest, and how many there were."""

    median: float
    low: float
    high: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least two values."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(rounded(median), rounded(low), rounded(high), rounded(max(values)), len(values))

    def inverse(self) -> Spread:
        """Return the spread of 1/x: "times slower" becomes "times faster"."""
        return Spread(1 / self.median, 1 / self.high, 1 / self.low, 1 / self.low, self.count)


@dataclass(frozen=True)
class Figure:
    """One line of the results.

    Attributes:
        key: Its name in the JSON.
        group: Under which heading it stands.
        what: What was measured, in words.
        unit: Of `userrb` and `c`.
        userrb: What userrb (or what the line names instead) took.
        c: What the C program took, in the same run.
        ratio: userrb's divided by the C program's, of the same round.
    """

    key: str
    group: str
    what: str
    unit: str
    userrb: Spread
    c: Spread | None = None
    ratio: Spread | None = None


def compare(
    userrb: Sequence[float], c: Sequence[float], *, key: str, group: str, what: str, unit: str
) -> Figure:
    """Return the figure of two series in which values at one place come from one round."""
    return Figure(key, group, what, unit, Spread.of(userrb), Spread.of(c), ratio(userrb, c))


def ratio(userrb: Sequence[float], c: Sequence[float]) -> Spread:
    """Return the spread of the ratios, round by round."""
    return Spread.of([mine / theirs for mine, theirs in zip(userrb, c, strict=True)])


def present(spread: Spread | None) -> Spread:
    """Return a spread that the figure must have."""
    if spread is None:
        raise ValueError("this figure has no counterpart in C")
    return spread

"""Shown to actual: does the output that a page shows match what a command printed?

`[..]` in a shown line stands for any text within the line, and a line `...` for any number of
lines. Everything else must be equal, character by character, except that a page cannot show
whether the last line ended with a newline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

ANY_TEXT = "[..]"
ANY_LINES = "..."
_CONTEXT = 3
_ALIGNABLE = 4_000_000
"""Cells of the alignment's table; larger outputs are compared line by line from the top."""


@dataclass(frozen=True)
class Step:
    """A step of an alignment: a line in both (" "), only shown ("-"), or only printed ("+").

    Attributes:
        mark: Which of the three.
        text: The line; of lines in both, the printed one.
        shown: Number, from 0, of the shown line that the step stands at.
    """

    mark: str
    text: str
    shown: int


def decode(output: bytes) -> list[str]:
    """Split output into lines; bytes that are not UTF-8 survive as lone surrogates."""
    text = output.decode("utf-8", errors="surrogateescape")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def visible(text: str) -> str:
    """Escape what a terminal or an editor would not show: control characters, trailing space."""
    shown = "".join(_visible(c) for c in text)
    bare = shown.rstrip(" ")
    return bare + "\\x20" * (len(shown) - len(bare))


def _visible(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char in "\r\t\x1b" or (not char.isprintable() and char != " "):
        return {"\r": "\\r", "\t": "\\t"}.get(char) or (
            f"\\x{ord(char):02x}" if char <= "\xff" else f"\\u{ord(char):04x}"
        )
    return char


def matches(shown: Sequence[str], actual: Sequence[str]) -> bool:
    """Say whether printed lines are what the page shows."""
    return all(step.mark == " " for step in align(shown, actual))


@lru_cache(maxsize=4096)
def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, line.split(ANY_TEXT))), re.DOTALL)


def _same(shown: str, actual: str) -> bool:
    return shown == actual or (ANY_TEXT in shown and _pattern(shown).fullmatch(actual) is not None)


def align(shown: Sequence[str], actual: Sequence[str]) -> list[Step]:
    """Pair shown lines with printed ones so that as few as possible are left alone."""
    if (len(shown) + 1) * (len(actual) + 1) > _ALIGNABLE:
        return _align_top(shown, actual)
    rows, columns = len(shown), len(actual)
    # cost[i][j]: lines left alone when shown[i:] meets actual[j:].
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            cost[i][j] = min((c for c, _ in _moves(shown, actual, i, j, cost)), default=0)
    steps: list[Step] = []
    i = j = 0
    while (i, j) != (rows, columns):
        _, mark = min(_moves(shown, actual, i, j, cost), key=lambda move: move[0])
        if mark in "-":
            steps.append(Step("-", shown[i], i))
        elif mark in " +*":
            steps.append(Step("+" if mark == "+" else " ", actual[j], i))
        i += mark in " -."
        j += mark in " +*"
    return steps


def _moves(
    shown: Sequence[str], actual: Sequence[str], i: int, j: int, cost: Sequence[Sequence[int]]
) -> list[tuple[int, str]]:
    """List the ways on, with what they cost: `*` and `.` are a wildcard's, in and out of it."""
    moves: list[tuple[int, str]] = []
    if i < len(shown) and shown[i].strip() == ANY_LINES:
        moves.append((cost[i + 1][j], "."))
        if j < len(actual):
            moves.append((cost[i][j + 1], "*"))
        return moves
    if i < len(shown) and j < len(actual) and _same(shown[i], actual[j]):
        moves.append((cost[i + 1][j + 1], " "))
    if i < len(shown):
        moves.append((cost[i + 1][j] + 1, "-"))
    if j < len(actual):
        moves.append((cost[i][j + 1] + 1, "+"))
    return moves


def _align_top(shown: Sequence[str], actual: Sequence[str]) -> list[Step]:
    """Align what is too long to align well: equal lines from the top, then all the rest."""
    same = 0
    while same < min(len(shown), len(actual)) and _same(shown[same], actual[same]):
        same += 1
    rest = list(shown[same:])
    if len(rest) == 1 and rest[0].strip() == ANY_LINES:
        return [Step(" ", line, min(n, same)) for n, line in enumerate(actual)]
    steps = [Step(" ", line, n) for n, line in enumerate(actual[:same])]
    steps += [Step("-", line, same + n) for n, line in enumerate(rest)]
    return steps + [Step("+", line, len(shown)) for line in actual[same:]]


def unified(steps: Sequence[Step]) -> list[str]:
    """Write an alignment as the body of a unified diff, with three lines of context."""
    changed = [n for n, step in enumerate(steps) if step.mark != " "]
    kept = {k for n in changed for k in range(n - _CONTEXT, n + _CONTEXT + 1)}
    lines: list[str] = []
    skipped = False
    for n, step in enumerate(steps):
        if n not in kept:
            skipped = True
            continue
        if skipped:
            lines.append("@@")
        skipped = False
        lines.append(step.mark + visible(step.text))
    return lines

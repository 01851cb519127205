"""Shown to actual: does the output that a page shows match what a command printed?

`[..]` in a shown line stands for any text within the line, and a line `...` for any number of
lines. Everything else must be equal, character by character, except that a page cannot show
whether the last line ended with a newline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

ANY_TEXT = "[..]"
ANY_LINES = "..."
_CONTEXT = 3
_ALIGNABLE = 300_000
"""Cells of the alignment's table; a larger one would take seconds to fill."""


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


def says_nothing(shown: Sequence[str]) -> bool:
    """Say whether shown output is all wildcards, so that hardly any output could differ from it."""
    left = ["" if line.strip() == ANY_LINES else line.replace(ANY_TEXT, "") for line in shown]
    return left != list(shown) and not any(line.strip() for line in left)


def _same(shown: str, actual: str) -> bool:
    """Say whether a printed line is the shown one; each wildcard takes as little as it can.

    No regular expression: several wildcards would go back and forth over a long line.
    """
    if ANY_TEXT not in shown:
        return shown == actual
    first, *between, last = shown.split(ANY_TEXT)
    if len(actual) < len(first) + len(last) or not actual.startswith(first):
        return False
    at, end = len(first), len(actual) - len(last)
    for part in between:
        found = actual.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return actual.endswith(last)


def align(shown: Sequence[str], actual: Sequence[str]) -> list[Step]:
    """Pair shown lines with printed ones so that as few as possible are left alone."""
    top = _equal(shown, actual)
    steps = [Step(" ", line, n) for n, line in enumerate(actual[:top])]
    rest, printed = shown[top:], actual[top:]
    bottom = _equal(rest[::-1], printed[::-1])
    middle, between = rest[: len(rest) - bottom], printed[: len(printed) - bottom]
    steps += _wild(middle, between, top) or _align(middle, between, top)
    first = top + len(middle)
    return steps + [
        Step(" ", line, first + n) for n, line in enumerate(printed[len(printed) - bottom :])
    ]


def _equal(shown: Sequence[str], actual: Sequence[str]) -> int:
    """Count the lines that are the same from the beginning to the first `...` or difference."""
    same = 0
    for one, other in zip(shown, actual, strict=False):
        if one.strip() == ANY_LINES or not _same(one, other):
            break
        same += 1
    return same


def _wild(shown: Sequence[str], actual: Sequence[str], top: int) -> list[Step]:
    """Pair the lines if all match, each `...` with as few as possible; else return nothing.

    It takes no table, so that an output may be of any length.
    """
    steps: list[Step] = []
    i = j = 0
    back: tuple[int, int] | None = None  # the last `...`, and how many lines were printed before it
    while j < len(actual):
        if i < len(shown) and shown[i].strip() == ANY_LINES:
            back, i = (i, j), i + 1
        elif i < len(shown) and _same(shown[i], actual[j]):
            steps.append(Step(" ", actual[j], top + i))
            i, j = i + 1, j + 1
        elif back:
            # One more line goes to the last `...`, and what comes behind it begins anew.
            i, j = back[0] + 1, back[1] + 1
            del steps[back[1] :]
            steps.append(Step(" ", actual[back[1]], top + back[0]))
            back = back[0], j
        else:
            return []
    return steps if all(line.strip() == ANY_LINES for line in shown[i:]) else []


def _align(shown: Sequence[str], actual: Sequence[str], top: int) -> list[Step]:
    rows, columns = len(shown), len(actual)
    if rows == 1 and shown[0].strip() == ANY_LINES:
        return [Step(" ", line, top) for line in actual]
    if (rows + 1) * (columns + 1) > _ALIGNABLE:
        steps = [Step("-", line, top + n) for n, line in enumerate(shown)]
        return steps + [Step("+", line, top + rows) for line in actual]
    # cost[i][j]: lines left alone when shown[i:] meets actual[j:].
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            cost[i][j] = min((c for c, _ in _moves(shown, actual, i, j, cost)), default=0)
    steps = []
    i = j = 0
    while (i, j) != (rows, columns):
        _, mark = min(_moves(shown, actual, i, j, cost), key=lambda move: move[0])
        if mark in "-~":
            steps.append(Step("-", shown[i], top + i))
        if mark in "+~":
            steps.append(Step("+", actual[j], top + i))
        if mark in " *":
            steps.append(Step(" ", actual[j], top + i))
        i += mark in " -~."
        j += mark in " +~*"
    return steps


def _moves(
    shown: Sequence[str], actual: Sequence[str], i: int, j: int, cost: Sequence[Sequence[int]]
) -> list[tuple[int, str]]:
    """List the ways on, with what they cost.

    `~` is a line in place of another; `*` and `.` are a wildcard's ways, within it and out of it.
    """
    moves: list[tuple[int, str]] = []
    if i < len(shown) and shown[i].strip() == ANY_LINES:
        moves.append((cost[i + 1][j], "."))
        if j < len(actual):
            moves.append((cost[i][j + 1], "*"))
        return moves
    if i < len(shown) and j < len(actual):
        same = _same(shown[i], actual[j])
        moves.append((cost[i + 1][j + 1] + (not same), " " if same else "~"))
    if i < len(shown):
        moves.append((cost[i + 1][j] + 1, "-"))
    if j < len(actual):
        moves.append((cost[i][j + 1] + 1, "+"))
    return moves


def unified(steps: Sequence[Step]) -> list[str]:
    """Write an alignment as the body of a unified diff, with three lines of context."""
    changed = [n for n, step in enumerate(steps) if step.mark != " "]
    kept = {k for n in changed for k in range(n - _CONTEXT, n + _CONTEXT + 1)}
    lines: list[str] = []
    for near, group in groupby(enumerate(steps), key=lambda pair: pair[0] in kept):
        if not near:
            lines.append("@@")
            continue
        # Where lines stand in for others, all that was shown comes before what was printed.
        for _, run in groupby((step for _, step in group), key=lambda step: step.mark == " "):
            ordered = sorted(run, key=lambda step: step.mark == "+")
            lines += [step.mark + visible(step.text) for step in ordered]
    if lines and lines[-1] == "@@":
        lines.pop()
    return lines

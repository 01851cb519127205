"""The engine's comparison of shown and printed output."""

from __future__ import annotations

import re
import time
from itertools import product

import pytest

from proof.example.comparison import align, decode, matches, unified, visible
from proof.record.update import rewritten
from proof.run.prove import _REFERENCE


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ([], [], True),
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (["a"], [], False),
        ([], ["a"], False),
        (["a", "b"], ["a"], False),
        (["a [..] c"], ["a b c"], True),
        (["a[..]c"], ["ac"], True),
        (["a [..]"], ["a b"], True),
        (["a [..]"], ["b"], False),
        (["[..] = [..]"], ["x = 1"], True),
        (["a.c"], ["abc"], False),
        (["a.c [..]"], ["abc 1"], False),
        (["[..]"], ["a", "b"], False),
        (["..."], [], True),
        (["..."], ["a", "b"], True),
        (["a", "...", "z"], ["a", "z"], True),
        (["a", "...", "z"], ["a", "b", "c", "z"], True),
        (["a", "...", "z"], ["a", "b", "c"], False),
        (["...", "m", "..."], ["a", "m", "z"], True),
        (["...", "m", "..."], ["a", "z"], False),
        (["  ..."], ["a"], True),
        (["...."], ["a"], False),
        (["a ..."], ["a b"], False),
        (["a"], ["a "], False),
        (["a"], ["a\r"], False),
        (["a"], ["\x1b[31ma\x1b[0m"], False),
    ],
)
def test_wildcards(shown: list[str], printed: list[str], same: bool) -> None:
    """`[..]` is any text within a line, a line `...` any lines; all else is equal or not."""
    assert matches(shown, printed) is same


def test_missing_final_newline_is_no_difference() -> None:
    """A page cannot show whether the last line ended, so either way is the same."""
    assert decode(b"a\nb") == decode(b"a\nb\n") == ["a", "b"]
    assert decode(b"a\n\n") == ["a", ""]
    assert decode(b"") == []


def test_diff_shows_what_wildcards_matched_as_equal() -> None:
    """In the diff a line that a wildcard matched is no difference, and shows what was printed."""
    steps = align(["a", "[..] s", "...", "total 3"], ["a", "1 s", "x", "y", "total 4"])
    assert unified(steps) == ["@@", " 1 s", " x", " y", "-total 3", "+total 4"]


def test_diff_leaves_out_what_is_far_from_a_difference() -> None:
    """The diff keeps three lines on each side of a difference."""
    shown = [str(n) for n in range(20)]
    printed = [*shown[:10], "ten", *shown[11:]]
    diff = unified(align(shown, printed))
    assert diff == ["@@", " 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"]


def test_unseen_characters_are_shown_escaped() -> None:
    """Trailing space, CR, tab, colour and bytes that are no UTF-8 are visible in a message."""
    (line,) = decode(b"\x1b[31ma\tb\xff\xc3\xa9\r  \n")
    assert visible(line) == "\\x1b[31ma\\tb\\xffé\\r\\x20\\x20"


def test_long_output_is_compared() -> None:
    """Output too long to align well still compares and still has a diff."""
    lines = [str(n) for n in range(30_000)]
    assert matches(lines, lines)
    assert matches(["0", "...", "29999"], lines)
    other = [*lines[:9], "other", *lines[10:]]
    assert unified(align(lines, other))[4:6] == ["-9", "+other"]
    assert matches(["...", "7[..]", "...", "29998", "...", "29999", "..."], [*lines, *lines])
    assert not matches(["...", "7", "...", "7", "..."], lines)
    assert not matches([line + "!" for line in lines], lines)


def test_wildcards_match_what_an_expression_would() -> None:
    """A line with wildcards matches as the regular expression does that has `.*` in their place."""
    parts = ["", "a", "b", "ab", "ba", "aab"]
    lines = ["".join(letters) for n in range(6) for letters in product("ab", repeat=n)]
    for chosen in (each for n in (1, 2, 3, 4) for each in product(parts, repeat=n)):
        expression = re.compile(".*".join(chosen))
        for line in lines[::3]:
            same = expression.fullmatch(line) is not None
            assert matches(["[..]".join(chosen)], [line]) is same, (chosen, line)


def test_a_long_line_takes_no_time() -> None:
    """Time grows with the length of a line, whatever wildcards and names are in it."""
    long = "a" * 4_000_000
    started = time.process_time()
    assert not matches(["[..]a[..]a[..]a[..]b"], [long])
    assert list(unified(align(["b"], [long])))
    assert not list(_REFERENCE.finditer(long))
    assert time.process_time() - started < 20  # 41 s for 4,000 characters, when it was quadratic


@pytest.mark.parametrize(
    ("shown", "printed", "new"),
    [
        (["a"], ["b"], ["b"]),
        ([], ["b"], ["b"]),
        (["a", "b"], [], []),
        (["t [..]", "a"], ["t 1", "b"], ["t [..]", "b"]),
        (["a", "...", "z"], ["a", "c", "y"], ["a", "...", "y"]),
        (["..."], [], ["..."]),
        (["a", "b", "c"], ["a", "x", "b", "c"], ["a", "x", "b", "c"]),
    ],
)
def test_rewritten_output_keeps_wildcards(
    shown: list[str], printed: list[str], new: list[str]
) -> None:
    """Rewritten output matches what was printed, and wildcards that still match remain."""
    assert rewritten(shown, printed) == new
    assert matches(new, printed)

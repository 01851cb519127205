"""The page "When to use this ring" shows what was measured, and the measurement can be repeated."""

from __future__ import annotations

import pytest

from benchmarks import ways


@pytest.mark.kernel
def test_every_way_delivers_its_messages() -> None:
    """Each way is measured; the C program ends with an error if a message was not read."""
    assert {way: spread.count for way, spread in ways.measure(2).items()} == dict.fromkeys(
        ways.WAYS, 2
    )


def test_the_page_shows_the_recorded_figures() -> None:
    """The table is what `python -m benchmarks.ways --record` writes."""
    text = ways.PAGE.read_text(encoding="utf-8")
    assert ways.fresh(text, ways.load()) == text


def test_other_figures_would_change_the_page() -> None:
    """The comparison above can fail."""
    recorded = ways.load()
    recorded["figures"]["queue"]["median"] = 1234
    text = ways.PAGE.read_text(encoding="utf-8")
    assert ways.fresh(text, recorded) != text

"""Tags to offsets: where in a page's HTML an element begins."""

from __future__ import annotations

from itertools import accumulate

from bs4 import Tag


class Offsets:
    """Tells offsets from the lines and columns that a parser gives.

    Args:
        html: What was parsed.
    """

    def __init__(self, html: str) -> None:
        self._starts = list(accumulate((len(line) + 1 for line in html.split("\n")), initial=0))

    def __call__(self, tag: Tag) -> int:
        """Return the offset of an element's first character."""
        return self._starts[(tag.sourceline or 1) - 1] + (tag.sourcepos or 0)

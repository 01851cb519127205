"""Text to region: what stands between `<!-- [NAME] -->` and `<!-- [/NAME] -->` on a page.

A region is about what its page is named after, or what its marker names: `<!-- [NAME](other) -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from facts.errors import FactError

_MARKER = re.compile(r"(?m)^<!-- \[(?P<end>/?)(?P<name>[A-Z_]+)\](?:\((?P<about>[^)\n]+)\))? -->$")

Writer = Callable[[str], str]
"""Takes what a region is about, and returns the region's text, without the markers."""


@dataclass(frozen=True)
class Region:
    """A region of a page: its name, what it is about, and where its text begins and ends."""

    name: str
    about: str
    start: int
    end: int


def regions(text: str, subject: str, names: Container[str]) -> Iterator[Region]:
    """Find the regions of a page.

    Args:
        text: The page.
        subject: What it is named after.
        names: The regions to look for; a page may have others, which others write.

    Raises:
        FactError: A marker has no partner.
    """
    begun: re.Match[str] | None = None
    for marker in _MARKER.finditer(text):
        if marker["name"] not in names:
            continue
        line = text.count("\n", 0, marker.start()) + 1
        if bool(marker["end"]) != bool(begun) or (begun and begun["name"] != marker["name"]):
            raise FactError(f"line {line}: the marker {marker[0]} has no partner")
        if begun:
            about = begun["about"] or subject
            yield Region(begun["name"], about, begun.end() + 1, marker.start())
        begun = None if begun else marker
    if begun:
        raise FactError(f"the marker {begun[0]} has no end")


def rewrite(text: str, subject: str, writers: Mapping[str, Writer]) -> str:
    """Return a page with every region written afresh.

    Raises:
        FactError: A marker has no partner, or a source fails.
    """
    for region in reversed(list(regions(text, subject, writers))):
        fresh = writers[region.name](region.about)
        text = f"{text[: region.start]}{fresh}\n{text[region.end :]}"
    return text

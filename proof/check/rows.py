"""What the check says of a block: how far it got, how far it could have got, and why not."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.IntEnum):
    """How far a block gets; each holds what those before it do."""

    FOUND = 0
    PARSES = 1
    COMPILES = 2
    LOADS = 3
    RUNS = 4
    PRINTS = 5

    def __str__(self) -> str:
        return self.name.lower()


@dataclass
class Row:
    """A block.

    Attributes:
        page: Its page.
        line: The line that it begins at.
        language: Its language.
        reached: How far it got.
        wanted: How far a block of its kind can get.
        why: Why it got no further, in a line; "" if it got as far as it could.
        prelude: Whether it took the prelude.
    """

    page: str
    line: int
    language: str
    wanted: Level
    reached: Level = Level.FOUND
    why: str = ""
    prelude: bool = False

    @property
    def short(self) -> bool:
        """Whether it got less far than it could."""
        return self.reached < self.wanted

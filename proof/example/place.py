"""Where output holds: a page may show what some kernels, or versions of a library, print instead.

A `console` block with a title such as `On Linux before 6.1`, or `On NAME 1.7 or newer` of
something that the probe names, repeats
commands of the blocks above it, with the output that they have there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from proof.errors import ProofError
from proof.page.origins import Origin

LINUX = "Linux"
_SUBJECT = re.compile(
    rf"On (?:(?P<linux>{LINUX})\b *(?P<rest>.*)|(?P<what>\w+) (?P<version>(?:before )?\d+\.\d.*))"
)
_RANGE = re.compile(
    r"(?P<before>before )?(?P<first>\d+\.\d+)(?: to (?P<last>\d+\.\d+))?(?P<up> or newer)?"
)

Version = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where commands ran.

    Attributes:
        facts: What the probe says of it, by name; `kernel` is the release, as `uname -r` prints it.
    """

    facts: Mapping[str, str]

    def version(self, what: str) -> Version:
        """Return the first two numbers of the version of Linux, or of something that has a fact.

        Raises:
            ProofError: There is no such fact.
        """
        name = "kernel" if what == LINUX else what
        if name not in self.facts:
            known = ", ".join([LINUX, *(n for n in self.facts if n not in ("kernel", "arch"))])
            raise ProofError(
                f"a page shows what is printed on some versions of {what}, of which nothing is"
                f" known; write {known}, or let the probe tell"
            )
        return series(self.facts[name])


@dataclass(frozen=True)
class Condition:
    """Places, by ranges of versions.

    Attributes:
        what: "Linux", or the name of a fact.
        ranges: The first and the last version of each range, without end where there is none.
    """

    what: str
    ranges: tuple[tuple[Version, Version | None], ...]

    def holds(self, place: Place) -> bool:
        """Say whether a place is one of these."""
        version = place.version(self.what)
        return any(low <= version and (up is None or version <= up) for low, up in self.ranges)


def condition(title: str | None, origin: Origin | None = None) -> Condition | None:
    """Read the title of a console block; return None if it is about no place.

    Raises:
        ProofError: It begins like one that is, but goes on otherwise.
    """
    match = _SUBJECT.match(title or "")
    if match is None:
        return None
    parts = (match["rest"] or match["version"] or "").split(",")
    ranges = tuple(_range(part.strip(), title, origin) for part in parts)
    return Condition(match["linux"] or match["what"], ranges)


def _range(text: str, title: str | None, origin: Origin | None) -> tuple[Version, Version | None]:
    match = _RANGE.fullmatch(text)
    if match is None or sum(map(bool, (match["before"], match["last"], match["up"]))) > 1:
        raise ProofError(
            f"the title {title!r} does not say where this output holds; write `On Linux 6.1`,"
            " `On Linux before 6.1`, `On Linux 6.1 to 6.8, 6.12` or, of something that the probe"
            " names, `On NAME 1.7 or newer`",
            origin,
        )
    first = series(match["first"])
    if match["before"]:
        # Series are numbered from 0, so that the last before 6.0 is a 5 with any number.
        return (0,), (*first[:-1], first[-1] - 1) if first[-1] else (first[0] - 1, 1 << 30)
    if match["up"]:
        return first, None
    return first, series(match["last"] or match["first"])


def series(version: str) -> Version:
    """Return the first two numbers of a version: (6, 18) of 6.18.44-1-amd64."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])

"""Where output holds: a page may show what some kernels, or some versions of libbpf, print instead.

A `console` block with a title such as `On Linux before 6.1` or `On libbpf 1.7 or newer` repeats
commands of the blocks above it, with the output that they have there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proof.errors import ProofError
from proof.positions import Origin

_SUBJECT = re.compile(r"On (?P<what>Linux|libbpf)\b *(?P<rest>.*)")
_RANGE = re.compile(
    r"(?P<before>before )?(?P<first>\d+\.\d+)(?: to (?P<last>\d+\.\d+))?(?P<up> or newer)?"
)

Version = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where commands ran.

    Attributes:
        kernel: The kernel's release, as `uname -r` prints it.
        libbpf: The version of libbpf.
    """

    kernel: str
    libbpf: str


@dataclass(frozen=True)
class Condition:
    """Places, by ranges of versions.

    Attributes:
        what: "Linux" or "libbpf".
        ranges: The first and the last version of each range, without end where there is none.
    """

    what: str
    ranges: tuple[tuple[Version, Version | None], ...]

    def holds(self, place: Place) -> bool:
        """Say whether a place is one of these."""
        version = _series(place.kernel if self.what == "Linux" else place.libbpf)
        return any(low <= version and (up is None or version <= up) for low, up in self.ranges)


def condition(title: str | None, origin: Origin | None = None) -> Condition | None:
    """Read the title of a console block; return None if it is about no place.

    Raises:
        ProofError: It begins like one that is, but goes on otherwise.
    """
    match = _SUBJECT.match(title or "")
    if match is None:
        return None
    ranges = tuple(_range(part.strip(), title, origin) for part in match["rest"].split(","))
    return Condition(match["what"], ranges)


def _range(text: str, title: str | None, origin: Origin | None) -> tuple[Version, Version | None]:
    match = _RANGE.fullmatch(text)
    if match is None or sum(map(bool, (match["before"], match["last"], match["up"]))) > 1:
        raise ProofError(
            f"the title {title!r} does not say where this output holds; write `On Linux 6.1`,"
            " `On Linux before 6.1`, `On Linux 6.1 to 6.8, 6.12` or `On libbpf 1.7 or newer`",
            origin,
        )
    first = _series(match["first"])
    if match["before"]:
        # Series are numbered from 0, so that the last before 6.0 is a 5 with any number.
        return (0,), (*first[:-1], first[-1] - 1) if first[-1] else (first[0] - 1, 1 << 30)
    if match["up"]:
        return first, None
    return first, _series(match["last"] or match["first"])


def _series(version: str) -> Version:
    """Return the first two numbers of a version: (6, 18) of 6.18.44-1-amd64."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])

"""What a kernel is to the engine: where the commands of a session run that begin with `sudo`.

A session's bash runs on this machine, whatever the kernel. What leads from there to the kernel is
the program that it finds under the name `sudo`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from proof.errors import ProofError
from proof.kernel.sandbox import Free

HOST = "host"
"""The name of this machine's own kernel."""


class Kernel(Protocol):
    """Where commands that begin with `sudo` run.

    Attributes:
        column: The name of its column in the matrix: `host`, or the catalogue's name, and that of
            the library that takes the place of the system's. Empty for a kernel that only its file
            names, of which no record is kept.
        boots: How often it was booted.
        retries: How many more boots failed, each of which was tried once more.
    """

    column: str
    boots: int
    retries: int

    def refusal(self) -> str | None:
        """Return why examples cannot run there, and what to do about it; None if they can.

        Raises:
            ProofError: That could not be found out.
        """

    def session(self, tools: Path, home: Path, place: Free) -> AbstractContextManager[None]:
        """Lead from a session to the kernel, as long as the session lasts.

        Args:
            tools: A directory that is first in the session's PATH, into which a program `sudo`
                goes where that is needed.
            home: The session's files.
            place: What the session is confined to.

        Raises:
            KernelLost: The kernel failed meanwhile, so that nothing of the session counts.
        """

    def facts(self) -> dict[str, str]:
        """Return what a record says of the place: `kernel` (its release), `arch` and more."""

    def lacks(self, words: Iterable[str]) -> list[str]:
        """Return what the kernel lacks of that which examples need, in words that the probe knows.

        Raises:
            ProofError: The probe answers no such question.
        """

    def close(self) -> None:
        """Leave the kernel: it will run no more."""


def column_name(kernel: str, library: str | None = None) -> str:
    """Name the column of a kernel, with a library in the place of the system's."""
    return f"{kernel}, {library}" if library else kernel


def check(kernel: Kernel) -> None:
    """Try whether examples can run on a kernel.

    Raises:
        ProofError: They cannot; the message says what to do about it.
    """
    if fault := kernel.refusal():
        raise ProofError(fault)


class Seen:
    """What a probe printed.

    Args:
        printed: An object of JSON, as `proof.settings.Settings.probe` describes it.

    Raises:
        ProofError: It is something else.

    Attributes:
        refusal: Why examples cannot run there; None if they can.
        lacks: Of the words that the probe was asked about, those that the kernel has nothing for;
            None if it answers no such question.
        facts: All the rest.
    """

    def __init__(self, printed: str) -> None:
        try:
            data = json.loads(printed)
            self.refusal: str | None = data.pop("refusal")
            self.lacks: list[str] | None = data.pop("lacks", None)
            self.facts: dict[str, str] = _texts(data)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise ProofError(
                "the probe printed no object of JSON with `kernel`, `arch` and `refusal`:"
                f" {printed!r}"
            ) from error


class Needs:
    """Asks a kernel about each word once.

    Args:
        ask: Runs the probe with words as its arguments.
    """

    def __init__(self, ask: Callable[[list[str]], Seen]) -> None:
        self._ask = ask
        self._known: dict[str, bool] = {}

    def lacks(self, words: Iterable[str]) -> list[str]:
        """See `Kernel.lacks`."""
        asked = sorted(set(words))
        if new := [word for word in asked if word not in self._known]:
            lacks = self._ask(new).lacks
            if lacks is None:
                raise ProofError(
                    f"an example needs {', '.join(new)}, but no probe says whether a kernel has"
                    " that; let the probe print `lacks`, the list of those of its arguments that"
                    " the kernel lacks"
                )
            self._known |= {word: word in lacks for word in new}
        return [word for word in asked if self._known[word]]


def _texts(data: Mapping[str, object]) -> dict[str, str]:
    facts = {name: str(value) for name, value in data.items()}
    return {"kernel": facts.pop("kernel"), "arch": facts.pop("arch"), **facts}

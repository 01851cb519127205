"""What a kernel is to the engine: where the commands of a session run that begin with `sudo`.

A session's bash runs on this machine, whatever the kernel. What leads from there to the kernel is
the program that it finds under the name `sudo`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from proof.errors import ProofError


class Kernel(Protocol):
    """Where commands that begin with `sudo` run.

    Attributes:
        boots: How often it was booted.
        retries: How many more boots failed, each of which was tried once more.
    """

    boots: int
    retries: int

    def refusal(self) -> str | None:
        """Return why examples cannot run there, and what to do about it; None if they can.

        Raises:
            ProofError: That could not be found out.
        """

    def session(self, tools: Path, home: Path) -> AbstractContextManager[None]:
        """Lead from a session to the kernel, as long as the session lasts.

        Args:
            tools: A directory that is first in the session's PATH, into which a program `sudo`
                goes where that is needed.
            home: The session's files.

        Raises:
            KernelLost: The kernel failed meanwhile, so that nothing of the session counts.
        """

    def facts(self) -> dict[str, str]:
        """Return what a record says of the place: `kernel` (its release), `arch` and more."""

    def close(self) -> None:
        """Leave the kernel: it will run no more."""


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
        facts: All the rest.
    """

    def __init__(self, printed: str) -> None:
        try:
            data = json.loads(printed)
            self.refusal: str | None = data.pop("refusal")
            self.facts: dict[str, str] = _texts(data)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise ProofError(
                "the probe printed no object of JSON with `kernel`, `arch` and `refusal`:"
                f" {printed!r}"
            ) from error


def _texts(data: Mapping[str, object]) -> dict[str, str]:
    facts = {name: str(value) for name, value in data.items()}
    return {"kernel": facts.pop("kernel"), "arch": facts.pop("arch"), **facts}

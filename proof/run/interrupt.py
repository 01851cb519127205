"""Ctrl-C: typed where a page shows `^C`, once what it shows before that was printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from proof.example.commands import CTRL_C
from proof.example.comparison import decode, matches

_QUIET = 1.0
"""Seconds without further output after which a reader has seen enough."""

_ENOUGH = 3.0
"""Seconds after which a reader stops a program that goes on to print."""


class Interrupts:
    """Watches what a session prints, and interrupts commands.

    Args:
        awaited: For the commands (their numbers, from 0) that are interrupted: the lines that a
            page shows before.
        mark: What follows each command's output.
        interrupt: Sends the signal.
    """

    def __init__(
        self, awaited: Mapping[int, Sequence[str]], mark: str, interrupt: Callable[[], None]
    ) -> None:
        self._awaited = dict(awaited)
        self._mark = f"\x1e{mark} ".encode()
        self._interrupt = interrupt
        self._seen: bytes | None = None
        self._changed = self._since = 0.0

    def look(self, output: bytearray) -> None:
        """Interrupt the command that runs, if it is time; what a terminal shows of it is added.

        Args:
            output: What the session printed so far.
        """
        if not self._awaited:
            return
        number = output.count(self._mark)
        lines = self._awaited.get(number)
        if lines is None:
            return
        now = time.monotonic()
        end = output.rfind(self._mark)
        printed = bytes(output[output.find(b"\n", end) + 1 if end >= 0 else 0 :])
        if not matches(lines, decode(printed)):
            self._seen = None
            return
        if self._seen is None:
            self._since = now
        if printed != self._seen:
            self._seen, self._changed = printed, now
        if now - self._changed >= _QUIET or now - self._since >= _ENOUGH:
            del self._awaited[number]
            self._seen = None
            output += f"{CTRL_C}\n".encode()
            self._interrupt()

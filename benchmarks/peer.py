"""A process that is asked by lines of numbers, and answers so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.build import ROOT

FIRST = -20
"""The priority of what is measured: a turn is then seldom interrupted by other work."""


class PeerDied(RuntimeError):
    """The process ended instead of answering; what it said is on standard error."""


class Peer:
    """A process at the other end of two pipes. Use it as a context manager.

    Args:
        command: What to run; its last arguments are the descriptors.
        fds: Descriptors that it inherits, of maps and programs.
        cpu: The only processor that it may run on.
    """

    def __init__(self, command: Sequence[str | Path], fds: Sequence[int], cpu: int) -> None:
        self._process = subprocess.Popen(
            [*map(str, command), *map(str, fds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            pass_fds=tuple(fds),
            start_new_session=True,  # a Ctrl-C at the terminal is for the harness
            cwd=ROOT,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise PeerDied("no pipes")
        self._to, self._from = self._process.stdin, self._process.stdout
        self.pid = self._process.pid
        os.sched_setaffinity(self.pid, {cpu})
        put_first(self.pid)

    def tell(self, request: str) -> None:
        """Send a request, for which `hear` waits."""
        self._to.write(request + "\n")

    def hear(self) -> list[int]:
        """Return the numbers of the answer."""
        answer = self._from.readline().split()
        if not answer:
            raise PeerDied(f"{self._process.args!r} ended with status {self._process.wait()}")
        return [int(word) for word in answer]

    def ask(self, request: str) -> list[int]:
        """Send a request and return the answer."""
        self.tell(request)
        return self.hear()

    def asleep(self) -> bool:
        """Tells whether the process sleeps just now."""
        status = Path(f"/proc/{self.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "S"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()
        self._process.__exit__(kind, error, traceback)


@cache
def processors() -> tuple[int, int]:
    """Two processors: one for what is measured, one for what drains (the same if there is one)."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0]


def put_first(pid: int) -> int:
    """Put a process before other work, where that is allowed; return its priority till then."""
    before = os.getpriority(os.PRIO_PROCESS, pid)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, FIRST)
    return before


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Keep this process on the processor of its peers: what a drain warmed is warm for all."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processors()[0]})
    priority = put_first(0)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, priority)
        os.sched_setaffinity(0, before)

"""Commands with `sudo` of a session that root runs: as root, in the place of the session."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess

from proof.kernel import sudo
from proof.kernel.relay import Request
from proof.kernel.sandbox import Free

# By a descriptor, not by its path: the folder may have been removed.
_THERE = 'cd "/proc/self/fd/$0" && exec "$@"'


def run(place: Free, request: Request) -> int:
    """Run a command of a session as root; return its status.

    Args:
        place: What the session is confined to.
        request: The command.
    """
    command = ["/bin/sh", "-c", sudo.SCRIPT, "sudo", *request.words]
    with subprocess.Popen(
        place.root(["/bin/sh", "-c", _THERE, str(request.directory), *command]),
        pass_fds=[request.directory],
        env=request.env,
        stdin=request.streams[0],
        stdout=request.streams[1],
        stderr=request.streams[2],
        process_group=0,
    ) as process:
        _hand_on(request, process)
        return process.wait()


def _hand_on(request: Request, process: subprocess.Popen[bytes]) -> None:
    """Hand signals on to a process until it ends; end it with the session."""
    ended = os.pidfd_open(process.pid)
    watched = [request.signals, request.closing, ended]
    try:
        while ended not in (ready := select.select(watched, [], [])[0]):
            if request.closing in ready:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return
            numbers = os.read(request.signals, 64)
            if not numbers:
                watched.remove(request.signals)  # it was killed; the command goes on, as of sudo
            for number in numbers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)
    finally:
        os.close(ended)

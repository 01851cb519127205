"""Root to reader: a session of root's may load BPF programs no more than a reader's, but with sudo.

Without that, a command that needs `sudo` and lacks it would pass wherever root runs the examples.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
from functools import lru_cache
from pathlib import Path

from proof.kernel.relay import Request

_TAKEN = {
    "sys_admin": 21,
    "net_admin": 12,
    "net_raw": 13,
    "perfmon": 38,
    "bpf": 39,
}
"""What lets a process load BPF programs; numbers as in linux/capability.h."""
_SETPCAP = 8


@lru_cache
def without() -> tuple[str, ...]:
    """Return words that run a command without these capabilities; none where they cannot be taken.

    A reader who is not root has none of them to begin with.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    has = int(status.partition("CapEff:")[2].split()[0], 16)
    if os.geteuid() != 0 or not has >> _SETPCAP & 1 or not shutil.which("setpriv"):
        return ()
    # By number: older releases do not know all names.
    taken = ",".join(f"-cap_{number}" for number in _TAKEN.values() if has >> number & 1)
    return ("setpriv", "--bounding-set", taken, "--") if taken else ()


def run(script: str, request: Request) -> int:
    """Run a command of a session with all that this process may do; return its status.

    Args:
        script: What stands for sudo: a shell script.
        request: The command.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", script, "sudo", *request.words],
        # Not its path, which may have been removed.
        cwd=f"/proc/self/fd/{request.directory}",
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

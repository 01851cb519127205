"""The Python process that waits for room: wait.c's counterpart, with the same lines in and out.

Usage: python -m benchmarks.waiting EXTENSION MAP_FD. EXTENSION is the one that stamp.c is in.
"""

from __future__ import annotations

import ctypes
import errno
import signal
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType


class Finder(MetaPathFinder):
    """Finds the stamping extension where `userrb._core` is looked for."""

    def __init__(self, extension: str) -> None:
        self._extension = extension

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answers for the one name."""
        if fullname != "userrb._core":
            return None
        return spec_from_file_location(fullname, self._extension)


def main(extension: str, map_fd: str) -> None:
    """Wait as often as it is told to."""
    sys.meta_path.insert(0, Finder(extension))
    import userrb  # noqa: PLC0415 - the finder has to be there first

    stamp = ctypes.c_int64.in_dll(ctypes.CDLL(extension), "wait_returned_ns")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with userrb.UserRingBuffer(int(map_fd)) as ring:
        for line in sys.stdin:
            size, timeout_ms = map(int, line.split())
            error = 0
            # Only while it waits: Ctrl-C must not end the reading of commands.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print(0, flush=True)
            cpu = time.process_time_ns()
            began = time.monotonic_ns()
            try:
                sample = ring.reserve_blocking(size, timeout_ms)
                ended = time.monotonic_ns()
                ring.discard(sample)
            except KeyboardInterrupt:
                ended = time.monotonic_ns()
                error = errno.EINTR
            except userrb.RingFull as full:
                ended = time.monotonic_ns()
                error = full.errno or 0
            cpu = time.process_time_ns() - cpu
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            print(error, began, ended, cpu, stamp.value, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

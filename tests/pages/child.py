"""A process of its own, for what kills it or changes its limits."""

from __future__ import annotations

import faulthandler
import gc
import os
import resource
from collections.abc import Callable


def in_child(call: Callable[[], object]) -> int:
    """Return 1 if the call returns something true there, else 0, or the signal, negative."""
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = 255
        try:
            status = int(bool(call()))
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def open_descriptors() -> int:
    """Count the descriptors of this process, without those that only wait to be collected."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def become_nobody() -> None:
    """Give up all rights of root."""
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)

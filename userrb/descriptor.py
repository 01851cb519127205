"""A file descriptor that is closed when the last call that uses it has ended."""

from __future__ import annotations

import fcntl
import os


class Descriptor:
    """Owns a duplicate of a descriptor.

    A call takes a reference before it uses the number: another thread that closes the object
    drops its own reference only, so that the number is not reused under a running call.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)

"""A file descriptor that is closed when the last call that uses it has ended; no copies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import NoReturn, Self, SupportsIndex

from userrb.errors import BpfError


class Unique:
    """What owns something of the kernel's, or knows that its owner is open."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuses to be copied and pickled: a copy would close what is not its own."""
        raise TypeError(f"cannot copy or pickle {type(self).__name__!r} object")


@contextlib.contextmanager
def as_bpf_error(doing: str) -> Iterator[None]:
    """Raise what the kernel refuses as one of the package's own exceptions."""
    try:
        yield
    except OSError as error:
        raise BpfError(error.errno, f"{doing}: {error.strerror}") from None


class Descriptor(Unique):
    """Owns a duplicate of a descriptor, or one that it has taken over.

    A call takes a reference before it uses the number: another thread that closes the object
    drops its own reference only, so that the number is not reused under a running call.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = -1
        with as_bpf_error(f"duplicating file descriptor {number}"):
            self.number = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)

    @classmethod
    def own(cls, number: int) -> Self:
        """Take over a descriptor, which nobody else closes from now on."""
        descriptor = cls.__new__(cls)
        descriptor.number = number
        return descriptor

    # At the end of the interpreter `os` may be empty when the last descriptors are dropped.
    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self.number >= 0:
            close(self.number)

"""The link of an attached program to its event."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Self

from userrb._libbpf import ffi, lib
from userrb.descriptor import Unique

if TYPE_CHECKING:
    from userrb._libbpf import CData


class TcFilter(Unique):
    """Owns a program on the clsact queueing discipline of an interface, where there is no tcx."""

    __slots__ = ("_place",)

    def __init__(self, program: int, interface: int, egress: bool) -> None:
        handle, priority = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        result = lib.userrb_attach_tc(program, interface, egress, handle, priority)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        self._place = (interface, egress, int(handle[0]), int(priority[0]))

    def __del__(self) -> None:
        if hasattr(self, "_place"):
            lib.userrb_detach_tc(*self._place)


def of_libbpf(handle: CData) -> CData:
    """Return a link of libbpf's that is destroyed when nobody refers to it any more."""
    return ffi.gc(handle, lib.bpf_link__destroy)


class BpfLink(Unique):
    """An attached program, from `BpfProgram.attach`. It runs on its event until you close this.

    Use it as a context manager, or close it. If you drop it, it is closed. May be used from several
    threads.

    Attributes:
        program: The name of the attached program.
    """

    __slots__ = ("_owner", "program")

    def __init__(self, owner: object, program: str) -> None:
        # Detaches, once, when this no longer refers to it.
        self._owner: object | None = owner
        self.program = program

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._owner is None

    def close(self) -> None:
        """Detach the program. You may call it again.

        Source: `bpf_link__destroy` of libbpf.
        """
        self._owner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<userrb.BpfLink of {self.program!r}, {'closed' if self.closed else 'attached'}>"

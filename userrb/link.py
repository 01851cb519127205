"""The link of an attached program to its event."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from userrb._libbpf import ffi, lib
from userrb.descriptor import Unique

if TYPE_CHECKING:
    from userrb._libbpf import CData


class BpfLink(Unique):
    """What `BpfProgram.attach` returns: the program runs on its event until this is closed.

    Use it as a context manager, or close it; dropped, it is closed. May be used from several
    threads.

    Attributes:
        program: The attached program's name.
    """

    __slots__ = ("_handle", "program")

    def __init__(self, handle: CData, program: str) -> None:
        # Destroyed, once, when this no longer refers to it.
        self._handle: CData | None = ffi.gc(handle, lib.bpf_link__destroy)
        self.program = program

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle is None

    def close(self) -> None:
        """Detaches the program; may be called again.

        Source: `bpf_link__destroy` of libbpf.
        """
        self._handle = None

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

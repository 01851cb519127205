"""The user ring buffer: from a map to samples in the kernel."""

from __future__ import annotations

import atexit
import os
import weakref
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from userrb import _core
from userrb.errors import RingClosed
from userrb.map import get_pinned, require_user_ringbuf


@runtime_checkable
class HasFileno(Protocol):
    """What has a file descriptor: a `BpfMap`, or another library's map object."""

    def fileno(self) -> int:
        """Returns the file descriptor."""


class UserRingBuffer(_core.Ring):
    """The producer's end of a `BPF_MAP_TYPE_USER_RINGBUF`.

    Samples go to the BPF program that calls `bpf_user_ringbuf_drain`, in the order in which they
    were reserved. Every method may be called from several threads, and in forked children: the
    ring locks where libbpf leaves it to the caller, and all rings of one map share the lock. Two
    unrelated processes must not produce into one map: nothing locks between them.

    Closing discards the samples that are still reserved, so that the samples behind them are
    drained; so does the end of the interpreter. A process that is killed with a sample reserved
    blocks the map for good.

    Args:
        map: A `BpfMap` or anything else with `fileno()`, a file descriptor, or the path of a pinned
            map. The ring keeps a duplicate of the descriptor.

    Attributes:
        size: Bytes of the ring's data area. A sample of `n` bytes takes 8 more for its header,
            rounded up to a multiple of 8.
        closed: Whether `close` was called.
        producer_position: Bytes ever reserved, headers included.
        consumer_position: Bytes ever drained, headers included.

    Raises:
        WrongMapType: The map is no user ring buffer, or the descriptor no map.
        ObjectNotFound: Nothing is pinned at the path.
        NotPermitted: The process may not open the map.

    Source: `user_ring_buffer__new` and `user_ring_buffer__free` of libbpf.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, map: HasFileno | int | str | os.PathLike[str]) -> None:  # noqa: A002
        if isinstance(map, (str, os.PathLike)):
            fd = get_pinned(map)
            try:
                self._open(fd)
            finally:
                os.close(fd)
        elif isinstance(map, int) and not isinstance(map, bool):
            self._open(map)
        elif isinstance(map, HasFileno):
            self._open(map.fileno())
        else:
            raise TypeError(
                "a map is a BpfMap, a file descriptor or the path of a pinned map, "
                f"not {type(map).__name__}"
            )

    def _open(self, fd: int) -> None:
        require_user_ringbuf(fd)
        super().__init__(fd)
        _open_rings.add(self)

    def __enter__(self) -> Self:
        if self.closed:
            raise RingClosed("the ring is closed")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.size} bytes"
        return f"<userrb.UserRingBuffer, {state}>"


_open_rings: weakref.WeakSet[UserRingBuffer] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Discards what is still reserved: a pinned map outlives the process and would stay blocked."""
    for ring in list(_open_rings):
        ring._close_at_exit()

"""The user ring buffer: from a map to samples in the kernel."""

from __future__ import annotations

import atexit
import contextlib
import errno
import operator
import os
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, SupportsIndex, cast, runtime_checkable

from userrb import _core, log
from userrb.aio import when_room
from userrb.errors import BpfError, RingClosed, RingFull
from userrb.map import BpfMap, get_pinned, require_user_ringbuf

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from userrb._core import Bytes, Sample


@runtime_checkable
class HasFileno(Protocol):
    """What has a file descriptor: a `BpfMap`, or another library's map object."""

    def fileno(self) -> int:
        """Return the file descriptor."""


class _Handed(Protocol):
    """A descriptor on its way to another process."""

    def detach(self) -> int:
        """Return the descriptor there."""


class UserRingBuffer(_core.Ring):
    """The producer's end of a `BPF_MAP_TYPE_USER_RINGBUF`.

    Samples go to the BPF program that calls `bpf_user_ringbuf_drain`, in the order in which they
    were reserved. By default, calls named `..._blocking` and `..._async` wait without end, and all
    others do not wait.

    Every method may be called from several threads, and several processes may produce into one map,
    related or not: the ring locks where libbpf leaves it to the caller, and all rings of a map
    share the lock, which stands in the map itself. A forked child may use the rings that were open
    before the fork, and a ring may be an argument of a process that `multiprocessing` starts.
    Producers that use libbpf itself do not know the lock: beside them samples are lost without an
    error, and nothing here can prevent that.

    Closing discards the samples that are still reserved, so that the samples behind them are
    drained; so does the end of the interpreter. A process that is killed with a sample reserved
    blocks the map, until `python -m userrb positions` discards that sample.

    Args:
        map: A `BpfMap` or anything else with `fileno()`, a file descriptor, or the path of a pinned
            map. The ring keeps a duplicate of the descriptor.

    Attributes:
        free: Bytes of room there is now, headers and padding included.
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
        elif isinstance(map, BpfMap):
            descriptor = map._open()  # kept open meanwhile, whoever closes the object
            self._open(descriptor.number)
        elif isinstance(map, HasFileno):
            self._open(map.fileno())
        else:
            raise TypeError(
                "a map is a BpfMap, a file descriptor or the path of a pinned map, "
                f"not {type(map).__name__}"
            )

    async def reserve_async(self, size: SupportsIndex, timeout_ms: int = -1) -> Sample:
        """Reserve a sample; where there is no room, the task waits and the event loop goes on.

        The tasks of a loop that wait for one ring are served in the order in which they came, all
        calls named `..._async` alike. A task that is cancelled while it waits has reserved nothing.

        Args:
            size: As for `reserve`.
            timeout_ms: As for `reserve_blocking`.

        Raises:
            RingTimeout: No room within the timeout.
            RingFull: As `RingTimeout`, for a timeout of 0.
            SampleTooLarge, BadTimeout, RingClosed: As for `reserve_blocking`.

        Example:
            ```python
            import asyncio

            import userrb


            async def produce(ring: userrb.UserRingBuffer) -> None:
                with await ring.reserve_async(8) as sample:
                    sample[:] = b"8 bytes."


            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    asyncio.run(produce(ring))
            ```
        """
        return await when_room(self, lambda turn: self._reserve_now(size, turn), timeout_ms)

    async def write_async(self, data: Bytes, timeout_ms: int = -1) -> None:
        """Write a sample as `write` does; where there is no room, the task waits.

        A task that is cancelled while it waits has written nothing.

        Args:
            data: As for `write`.
            timeout_ms: As for `reserve_blocking`; without one, it waits without end.

        Raises:
            RingTimeout: No room within the timeout.
            RingFull: As `RingTimeout`, for a timeout of 0.
            SampleTooLarge, BadTimeout, RingClosed: As for `write`.

        Example:
            ```python
            import asyncio

            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    asyncio.run(ring.write_async(b"8 bytes.", timeout_ms=1000))
            ```
        """
        await when_room(self, lambda turn: self._write_now(data, turn), timeout_ms)

    async def submit_many_async(
        self,
        records: Bytes,
        size: SupportsIndex | None = None,
        timeout_ms: int = -1,
        *,
        offsets: Bytes | None = None,
        start: int = 0,
    ) -> int:
        """Submit records as `submit_many` does; where there is no room, the task waits.

        Records are published in the batches that find room. A task that is cancelled has submitted
        the batches before, and none after; the `CancelledError` tells in its attribute `submitted`
        how many records these were, and so does whatever else ends the call.

        Args:
            records: As for `submit_many`.
            size: As for `submit_many`.
            timeout_ms: As for `reserve_blocking`; without one, it waits for all of them.
            offsets: As for `submit_many`.
            start: As for `submit_many`.

        Returns:
            How many records found room; all of them, unless the time was over.

        Raises:
            SampleTooLarge, BadTimeout, RingClosed, ValueError: As for `submit_many`.

        Example:
            ```python
            import array
            import asyncio

            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    records = array.array("Q", range(100))
                    assert asyncio.run(ring.submit_many_async(records, timeout_ms=1000)) == 100
            ```
        """
        first = done = operator.index(start)
        checked = False

        def attempt(turn: bool) -> None:
            nonlocal done, checked
            done += self._submit_many_now(records, size, offsets, done, checked, turn)
            checked = True
            if done < count_records(records, size, offsets):
                raise RingFull(errno.ENOSPC, f"no room for record {done}")

        try:
            with contextlib.suppress(RingFull):
                await when_room(self, attempt, timeout_ms)
        except BaseException as error:
            # What the last attempt submitted before it failed is not in `done`.
            sent = done - first + getattr(error, "submitted", 0)
            error.submitted = sent  # type: ignore[attr-defined]
            raise
        return done - first

    def __reduce__(self) -> tuple[object, ...]:
        """Hand the ring to a process that multiprocessing starts, and refuses all else."""
        # Who starts processes with it has it; it takes long to import.
        from multiprocessing import context, reduction  # noqa: PLC0415

        if context.get_spawning_popen() is None:
            raise TypeError(
                f"cannot copy or pickle {type(self).__name__!r} object: it can only be handed to a "
                "process as it is started, as an argument of multiprocessing's Process for one"
            )
        descriptor = reduction.DupFd(self.fileno())
        return _receive, (type(self), descriptor), getattr(self, "__dict__", None)

    def _open(self, fd: int) -> None:
        require_user_ringbuf(fd)
        try:
            super().__init__(fd)
        except BpfError as error:
            log.add(error, log.take())
            raise
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


def _receive(kind: type[UserRingBuffer], descriptor: _Handed) -> UserRingBuffer:
    """Open a ring in a process that was started with one."""
    fd = descriptor.detach()
    try:
        ring = kind.__new__(kind)
        ring._open(fd)
    finally:
        os.close(fd)
    return ring


def count_records(records: Bytes, size: SupportsIndex | None, offsets: Bytes | None) -> int:
    """Count the records of a batch that `submit_many` has accepted."""
    if offsets is not None:
        ends = memoryview(cast("Buffer", offsets))
        return ends.nbytes // ends.itemsize - 1
    data = memoryview(cast("Buffer", records))
    return data.nbytes // (data.itemsize if size is None else operator.index(size))


_open_rings: weakref.WeakSet[UserRingBuffer] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Discard what is still reserved: a pinned map outlives the process and would stay blocked."""
    for ring in list(_open_rings):
        ring._close_at_exit()

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

    A BPF program takes the samples with `bpf_user_ringbuf_drain`, in the order in which you
    reserved them. By default, calls named `..._blocking` and `..._async` wait forever, and all
    others do not wait.

    You may call every method from several threads, and several processes may produce into one map,
    related or not. All rings of a map share one lock, in the map itself. A forked child may use the
    rings that were open before the fork, and you can pass a ring to a process that
    `multiprocessing` starts. Programs that produce with libbpf itself do not know this lock: do not
    run one on the same map, or samples are lost without an error.

    Closing the ring discards the samples that are still reserved, so that they do not block later
    ones. So does the end of the interpreter. A process that is killed while it has a sample
    reserved blocks the map, until `python -m userrb positions` discards that sample.

    Args:
        map: A `BpfMap` or anything else with `fileno()`, a file descriptor, or the path of a pinned
            map. The ring keeps a duplicate of the descriptor.

    Raises:
        WrongMapType: The map is not a user ring buffer, or the descriptor is not a map.
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
        """Reserve a sample; if there is no room, the task waits while the event loop runs others.

        Tasks of a loop that wait for the same ring are served in order, whichever of the calls
        named `..._async` they made. If you cancel a task while it waits, it has reserved nothing.

        Args:
            size: As for `reserve`.
            timeout_ms: As for `reserve_blocking`.

        Raises:
            RingTimeout: There was no room within the timeout.
            RingFull: The timeout is 0, and there is no room.
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
        """Write a sample as `write` does; if there is no room, the task waits.

        If you cancel a task while it waits, it has written nothing.

        Args:
            data: As for `write`.
            timeout_ms: As for `reserve_blocking`; the default waits forever.

        Raises:
            RingTimeout: There was no room within the timeout.
            RingFull: The timeout is 0, and there is no room.
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
        """Submit records as `submit_many` does; if there is no room, the task waits.

        It submits as many batches as it needs. If you cancel the task, the `CancelledError` says in
        its attribute `submitted` how many records were submitted. So does every other exception.

        Args:
            records: As for `submit_many`.
            size: As for `submit_many`.
            timeout_ms: As for `reserve_blocking`; the default waits until all records are
                submitted.
            offsets: As for `submit_many`.
            start: As for `submit_many`.

        Returns:
            How many records were submitted: all of them, unless the time ran out.

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
        """Hand the ring to a process that multiprocessing starts; refuse anything else."""
        # Who starts processes with it has it; it takes long to import.
        from multiprocessing import context, reduction  # noqa: PLC0415

        if context.get_spawning_popen() is None:
            raise TypeError(
                f"cannot copy or pickle {type(self).__name__!r} object: it can only be handed to a "
                "process as it starts, for example as an argument of multiprocessing's Process"
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

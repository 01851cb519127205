"""The kernel ring buffer: from a BPF program to samples in Python."""

from __future__ import annotations

import contextlib
import errno
import operator
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, SupportsIndex, cast

from userrb._libbpf import lib
from userrb.arrival import Arrival
from userrb.batch import Batch
from userrb.descriptor import Descriptor, Unique, as_bpf_error
from userrb.errors import BadTimeout, RingClosed
from userrb.map import BpfMap, get_pinned, require_type
from userrb.mapped import Memory
from userrb.ring import HasFileno

if TYPE_CHECKING:
    from typing import NoReturn

TIMEOUT_MAX_MS = 2**31 - 1

BATCH_MAX = 8192
"""Samples that are taken at once, at most."""


class RingBuffer(Unique):
    """The consumer's end of a `BPF_MAP_TYPE_RINGBUF`, through which BPF programs answer.

    Iterate over it, or take all waiting samples with one call, `batch`. A sample is a read-only
    memoryview of the ring's memory. When you take the next sample or batch, or close the ring, the
    previous one is consumed and its view released. Delete views of your own, such as a slice or a
    NumPy array, before that: otherwise the call raises `BufferError` and takes nothing, because the
    kernel could overwrite what they show. `bytes(sample)` makes a copy.

    Waits sleep and release the GIL, and Ctrl-C ends them. Samples that the BPF program submits with
    `BPF_RB_NO_WAKEUP` are noticed within 20 ms.

    A ring is for one process, and for one thread or task at a time. Any thread may close it: that
    ends waits with `RingClosed`, and loops without an error.

    Args:
        map: A `BpfMap` or anything else with `fileno()`, a file descriptor, or the path of a pinned
            map. The ring keeps a duplicate of the descriptor.

    Attributes:
        size: Size of the ring's data area in bytes.

    Raises:
        WrongMapType: The map is not a `BPF_MAP_TYPE_RINGBUF`, or the descriptor is not a map.
        ObjectNotFound: Nothing is pinned at the path.
        NotPermitted: The process may not open the map.

    Source: works like `ring_buffer__new`, `ring_buffer__poll` and `ring_buffer__consume` of libbpf,
    but waits differently.
    """

    def __init__(self, map: HasFileno | int | str | os.PathLike[str]) -> None:  # noqa: A002
        self._memory: Memory | None = None
        self._map = open_map(map)
        self.size = require_type(self._map.number, lib.BPF_MAP_TYPE_RINGBUF, "BPF_MAP_TYPE_RINGBUF")
        with as_bpf_error("opening the kernel ring buffer"):
            memory = Memory(self._map.number, self.size, Batch)
            self._arrival = Arrival(self._map, memory.reader.ready)
        self._batch: Batch | None = None
        self._memory = memory

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._memory is None

    @property
    def producer_position(self) -> int:
        """Bytes that BPF programs ever reserved, headers and padding included.

        Raises:
            RingClosed: The ring is closed.
        """
        return self._open().reader.produced

    @property
    def consumer_position(self) -> int:
        """Bytes ever consumed, headers and padding included.

        Raises:
            RingClosed: The ring is closed.
        """
        return self._open().reader.consumed

    def fileno(self) -> int:
        """Return the ring's own descriptor of the map, valid until the ring is closed.

        It is readable while samples wait, so you can watch it in an event loop of your own.

        Raises:
            RingClosed: The ring is closed.
        """
        self._open()
        return self._map.number

    def batch(self, timeout_ms: SupportsIndex = 0) -> Batch:
        """Take all waiting samples, at most 8192. This is the fastest way to read many.

        Args:
            timeout_ms: The longest time to wait for the first one, in milliseconds; 0, the default,
                does not wait, -1 waits forever.

        Returns:
            The samples; an empty batch if none came in time.

        Raises:
            BadTimeout: `EINVAL`: the timeout is less than -1, or too large.
            BufferError: A view of an earlier sample is still alive. Nothing was taken.
            RingClosed: The ring is closed, or another thread closed it during the wait.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.RingBuffer(bpf.maps["answers"]) as answers:
                    bpf.programs["answer"].test_run()
                    batch = answers.batch(timeout_ms=1000)
                    assert [bytes(sample) for sample in batch] == [b"12345678", b"abc"]
                    assert batch.lengths == [8, 3]
            ```
        """
        # What the rest does, too, but without further calls: a hundred samples take no longer.
        memory = self._memory
        if memory is not None and type(timeout_ms) is int and not timeout_ms:
            batch = memory.reader.take(BATCH_MAX, memory, self._batch)
            if batch is not None:
                self._batch = batch
                return batch
        return self._take(BATCH_MAX, parse_timeout(timeout_ms))

    async def batch_async(self, timeout_ms: SupportsIndex = -1) -> Batch:
        """Take all waiting samples, as `batch` does; if there are none, the task waits.

        If you cancel a task while it waits, it has taken nothing.

        Args:
            timeout_ms: As for `batch`; the default waits forever.

        Raises:
            BadTimeout, BufferError, RingClosed: As for `batch`.

        Example:
            ```python
            import asyncio

            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.RingBuffer(bpf.maps["answers"]) as answers:
                    bpf.programs["answer"].test_run()
                    assert len(asyncio.run(answers.batch_async())) == 2
            ```
        """
        return await self._take_async(BATCH_MAX, parse_timeout(timeout_ms))

    def poll(self, callback: Callable[[memoryview], object], timeout_ms: SupportsIndex = -1) -> int:
        """Call a function for each waiting sample; if there are none, wait for the first.

        Args:
            callback: The function. It gets a memoryview, which is released when it returns. If it
                raises, its sample is consumed, later ones stay, and `poll` raises the same.
            timeout_ms: As for `batch`; the default waits forever.

        Returns:
            How many samples there were; 0 if none came in time.

        Raises:
            BadTimeout, BufferError, RingClosed: As for `batch`.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.RingBuffer(bpf.maps["answers"]) as answers:
                    bpf.programs["answer"].test_run()
                    assert answers.poll(lambda sample: print(bytes(sample))) == 2
            ```

        Source: works like `ring_buffer__poll` of libbpf; with a timeout of 0, like
        `ring_buffer__consume`.
        """
        taken = self._take(1, parse_timeout(timeout_ms))
        memory = self._open()
        last = memory.reader.produced  # what comes meanwhile is for the next call
        count = 0
        while taken:
            try:
                callback(taken[0])
            except BaseException:
                # A view in the traceback must not hide what was raised.
                with contextlib.suppress(BufferError):
                    self._finish(memory)
                raise
            self._finish(memory)
            count += 1
            if self.closed or memory.reader.consumed >= last:
                break
            taken = self._take(1, 0)
        return count

    def samples(self, timeout_ms: SupportsIndex = -1) -> Iterator[memoryview]:
        """Iterate over the samples; if there are none, wait for the next one.

        The loop ends when no sample came within the timeout, or when the ring is closed.
        `for sample in ring` does the same without a timeout.

        Args:
            timeout_ms: As for `batch`, for each sample; the default waits forever.

        Raises:
            BadTimeout, BufferError: As for `batch`.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.RingBuffer(bpf.maps["answers"]) as answers:
                    bpf.programs["answer"].test_run()
                    for sample in answers.samples(timeout_ms=0):
                        print(bytes(sample))
            ```
        """
        timeout = parse_timeout(timeout_ms)
        return self._each(timeout)

    def _each(self, timeout: int) -> Iterator[memoryview]:
        try:
            while taken := self._take(1, timeout):
                yield taken[0]
        except RingClosed:
            return

    async def samples_async(self, timeout_ms: SupportsIndex = -1) -> AsyncIterator[memoryview]:
        """Iterate over the samples as `samples` does, while the event loop runs other tasks.

        `async for sample in ring` does the same without a timeout.

        Args:
            timeout_ms: As for `samples`.

        Raises:
            BadTimeout, BufferError: As for `batch`.

        Example:
            ```python
            import asyncio

            import userrb


            async def read(answers: userrb.RingBuffer) -> int:
                texts = [bytes(sample) async for sample in answers.samples_async(timeout_ms=10)]
                return len(texts)


            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.RingBuffer(bpf.maps["answers"]) as answers:
                    bpf.programs["answer"].test_run()
                    assert asyncio.run(read(answers)) == 2
            ```
        """
        timeout = parse_timeout(timeout_ms)
        try:
            while taken := await self._take_async(1, timeout):
                yield taken[0]
        except RingClosed:
            return

    def __iter__(self) -> Iterator[memoryview]:
        return self.samples()

    def __aiter__(self) -> AsyncIterator[memoryview]:
        return self.samples_async()

    def close(self) -> None:
        """Close the ring. You may call it again, from any thread, and from a signal handler.

        It consumes the samples that this thread took last, and releases their views. If another
        thread took them, or if a view of your own is alive, it does not consume them: the views
        stay readable, and whoever opens the ring next gets these samples again.

        Source: works like `ring_buffer__free` of libbpf.
        """
        memory, self._memory = self._memory, None  # so that no other thread takes anything now
        if memory is not None and memory.reader.mine:
            with contextlib.suppress(BufferError):
                self._finish(memory)
        self._arrival.end()

    def _open(self) -> Memory:
        memory = self._memory
        if memory is None:
            raise RingClosed("the ring is closed")
        return memory

    def _finish(self, memory: Memory) -> None:
        """Consumes what was taken last.

        Raises:
            BufferError: A view of it is still alive.
        """
        batch = self._batch
        if batch is None:
            return
        try:
            batch._release()
        except BufferError:
            refuse()
        if memory.seen():
            refuse()
        batch._end()
        memory.reader.finish(batch)

    def _take(self, limit: int, timeout: int) -> Batch:
        """Take so many samples at most; an empty batch if none came within the timeout."""
        batch = self._try_take(limit)
        if batch._count or timeout == 0:
            return batch
        deadline = None if timeout < 0 else time.monotonic() + timeout / 1000
        while True:
            self._arrival.wait(None if deadline is None else max(deadline - time.monotonic(), 0))
            batch = self._try_take(limit)
            if batch._count or (deadline is not None and time.monotonic() >= deadline):
                return batch

    async def _take_async(self, limit: int, timeout: int) -> Batch:
        batch = self._try_take(limit)
        if batch._count or timeout == 0:
            return batch
        deadline = None if timeout < 0 else time.monotonic() + timeout / 1000
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            await self._arrival.wait_async(left)
            batch = self._try_take(limit)
            self._arrival.pass_on()
            if batch._count or (deadline is not None and time.monotonic() >= deadline):
                return batch

    def _try_take(self, limit: int) -> Batch:
        memory = self._memory
        if memory is None:
            raise RingClosed("the ring is closed")
        batch = memory.reader.take(limit, memory, self._batch)
        if batch is None:
            self._finish(memory)
            batch = memory.reader.take(limit, memory, None)
        self._batch = batch
        return cast("Batch", batch)

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<userrb.RingBuffer, {'closed' if self.closed else f'{self.size} bytes'}>"


def refuse() -> NoReturn:
    """Raise because of a view that would show what comes next."""
    raise BufferError(
        "a view of a sample is still alive: release it, or delete what holds it, before you take "
        "more samples"
    ) from None


def open_map(map_: HasFileno | int | str | os.PathLike[str]) -> Descriptor:
    """Return a descriptor of a map's own.

    Raises:
        TypeError: It is not a map.
        ObjectNotFound, NotPermitted, BpfError: A pinned map cannot be opened.
    """
    if isinstance(map_, (str, os.PathLike)):
        return Descriptor.own(get_pinned(map_))
    if isinstance(map_, BpfMap):
        return Descriptor(map_._open().number)
    number = map_.fileno() if isinstance(map_, HasFileno) else map_
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(
            "a map is a BpfMap, a file descriptor or the path of a pinned map, "
            f"not {type(map_).__name__}"
        )
    return Descriptor(number)


def parse_timeout(timeout_ms: SupportsIndex) -> int:
    """Return a timeout in milliseconds.

    Raises:
        BadTimeout: It is invalid.
    """
    timeout = operator.index(timeout_ms)
    if not -1 <= timeout <= TIMEOUT_MAX_MS:
        raise BadTimeout(
            errno.EINVAL,
            f"timeout_ms must be -1 (wait forever), 0 (do not wait) or at most {TIMEOUT_MAX_MS}",
        )
    return timeout

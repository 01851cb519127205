"""The C surface of the ring: what `csrc/` exports, with its words.

`_core_docs_build.py` hands the docstrings to the compiler: they are what `help()` shows.
"""

import sys
from collections.abc import Iterator
from mmap import mmap
from types import TracebackType
from typing import Any, Literal, Protocol, Self, SupportsIndex, TypeAlias, final, overload

from typing_extensions import Buffer

from userrb.batch import Batch
from userrb.mapped import Memory

class _Array(Protocol):
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

# NumPy declares its arrays to be buffers only from Python 3.12 on.
Bytes: TypeAlias = Buffer | _Array

# Before Python 3.12, NumPy names the buffers that it takes one by one: only what may be anything is
# taken for one of them, too.
if sys.version_info >= (3, 12):
    class _Buffer: ...

else:
    _Buffer: Any

class Ring:
    def __init__(self, map_fd: int, /) -> None: ...
    @property
    def size(self) -> int:
        """Bytes of the ring's data area, a power of two.

        A sample of `n` bytes takes `n + 8` of them, rounded up to a multiple of 8.
        """

    @property
    def free(self) -> int:
        """Bytes of room there is now, headers and padding included.

        A sample of 8 bytes less than this fits, unless another producer takes the room first.

        Raises:
            RingClosed: The ring is closed.
        """

    @property
    def closed(self) -> bool:
        """Whether the ring is closed."""

    @property
    def producer_position(self) -> int:
        """Bytes that were ever reserved, headers and padding included.

        Raises:
            RingClosed: The ring is closed.
        """

    @property
    def consumer_position(self) -> int:
        """Bytes that were ever drained, headers and padding included.

        It equals the producer position when nothing is left to drain.

        Raises:
            RingClosed: The ring is closed.
        """

    def fileno(self) -> int:
        """Return the ring's own descriptor of the map, valid until the ring is closed.

        Do not wait on it level-triggered: it is writable whenever the ring is not completely full.

        Raises:
            RingClosed: The ring is closed.
        """

    def reserve(self, size: SupportsIndex) -> Sample:
        """Reserve a sample, without waiting.

        May be called from several threads: it locks where libbpf leaves it to the caller. If
        another producer keeps the lock, for example because its process was stopped, it gives up
        after 25 ms, as if there were no room; so do `write` and `submit_many` with a timeout of 0.
        The samples behind this one are not drained before it is submitted or discarded; a sample
        that is dropped is discarded.

        Args:
            size: Bytes of the sample, without its header; 0 is valid. At most the ring's size less
                8, and less than 2**24: the kernel could reserve, but never drain more.

        Returns:
            The sample: a writable buffer in the ring. Its bytes are what was there before.

        Raises:
            RingFull: `ENOSPC`, there is no room now.
            SampleTooLarge: `E2BIG`, there can never be room.
            RingClosed: The ring is closed.
            ValueError: `size` is negative.

        Example:
            ```python
            import struct

            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    sample = ring.reserve(16)
                    struct.pack_into("=QQ", sample, 0, 1, 2)
                    ring.submit(sample)
            ```

        Source: `user_ring_buffer__reserve` of libbpf.
        """

    def reserve_blocking(self, size: SupportsIndex, timeout_ms: int = -1) -> Sample:
        """Reserve a sample; where there is no room, it waits for a drain to make some.

        The wait sleeps, with the GIL released, on a partly full ring too. Signal handlers run
        meanwhile, and the wait goes on with the time left unless the handler raises (PEP 475);
        Ctrl-C ends it. Room made by a drain with `BPF_RB_NO_WAKEUP` is noticed within 20 ms. With
        -1 it waits until there is room, where libbpf's gives up after one wakeup.

        May be called from several threads. Who waits longest is not served first: a large sample
        may wait while small ones find room.

        Args:
            size: As for `reserve`.
            timeout_ms: How long to wait at most, in milliseconds; 0 does not wait, -1 waits
                without end.

        Returns:
            The sample, as from `reserve`.

        Raises:
            RingTimeout: `ENOSPC`, there was no room within the timeout; a `TimeoutError`.
            RingFull: As `RingTimeout`, for a timeout of 0.
            SampleTooLarge: `E2BIG`, there can never be room.
            BadTimeout: `EINVAL`, the timeout is none of the above.
            RingClosed: The ring is closed, or another thread closed it meanwhile.
            ValueError: `size` is negative.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    sample = ring.reserve_blocking(8, timeout_ms=1000)
                    sample[:] = b"8 bytes."
                    ring.submit(sample)
            ```

        Source: as `user_ring_buffer__reserve_blocking` of libbpf, with a wait of its own.
        """

    def submit(self, sample: Sample, /) -> None:
        """Submit a sample: from now on it is the kernel's.

        May be called from several threads.

        Args:
            sample: A sample that this ring reserved.

        Raises:
            SampleError: It was submitted or discarded before, or reserved by another ring, or by
                the parent of this process.
            BufferError: A view of it is still alive; it stays reserved.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    first, second = ring.reserve(8), ring.reserve(8)
                    ring.submit(second)
                    assert bpf.programs["drain"].test_run().retval == 0  # first is before it
                    ring.submit(first)
                    assert bpf.programs["drain"].test_run().retval == 2
            ```

        Source: `user_ring_buffer__submit` of libbpf.
        """

    def discard(self, sample: Sample, /) -> None:
        """Discard a sample: the kernel skips it, and its room comes back with the next drain.

        May be called from several threads.

        Args:
            sample: A sample that this ring reserved.

        Raises:
            SampleError: As for `submit`.
            BufferError: As for `submit`.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    ring.discard(ring.reserve(8))
                    assert bpf.programs["drain"].test_run().retval == 0
            ```

        Source: `user_ring_buffer__discard` of libbpf.
        """

    def write(self, data: Bytes, timeout_ms: int = 0) -> None:
        """Reserve a sample of the data's size, copy the data into it, and submit it.

        The fastest way for one sample. May be called from several threads.

        Args:
            data: Any contiguous buffer.
            timeout_ms: As for `reserve_blocking`; 0, the default, does not wait.

        Raises:
            RingTimeout: `ENOSPC`, there was no room within the timeout; a `TimeoutError`.
            RingFull: As `RingTimeout`, for a timeout of 0.
            SampleTooLarge: `E2BIG`, there can never be room.
            BadTimeout: `EINVAL`.
            RingClosed: The ring is closed, or another thread closed it meanwhile.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    ring.write(b"8 bytes.")
                    assert bpf.programs["drain"].test_run().retval == 1
            ```
        """

    def submit_many(
        self,
        records: Bytes,
        size: SupportsIndex | None = None,
        timeout_ms: int = 0,
        *,
        offsets: Bytes | None = None,
        start: SupportsIndex = 0,
    ) -> int:
        """Submit many records, each as a sample of its own, and publish them at once.

        May be called from several threads; a batch is not mixed with other samples, except where it
        waits. The GIL is released for 16 KiB and more: leave the records alone meanwhile.

        Args:
            records: Any C-contiguous buffer: an array, a NumPy array (structured ones too), bytes.
                A record is an item of it, or `size` bytes, or what `offsets` say.
            size: Bytes of a record. Has to be given where an item is a single byte, as those of
                bytes, `mmap` and `memoryview(b"...")` are.
            timeout_ms: As for `reserve_blocking`; 0, the default, submits what finds room now.
            offsets: Records of different sizes, in Arrow's layout: one more 32 or 64 bit integers
                than records; record `i` is the bytes from `offsets[i]` to `offsets[i + 1]`.
            start: Index of the first record to submit: to go on where an earlier call ended. Such a
                call checks the offsets of a record only when it is its turn.

        Returns:
            How many records found room, in their order: all of them, unless the time was over.

        Raises:
            SampleTooLarge: `E2BIG`, a record never fits; nothing was submitted.
            BadTimeout: `EINVAL`.
            RingClosed: The ring is closed, or another thread closed it meanwhile.
            KeyboardInterrupt: Or whatever a signal handler raises during the wait. Whatever ends a
                call tells in its attribute `submitted` how many records were submitted before:
                `start` and these are the `start` of a call that goes on.
            ValueError: The buffer is not a whole number of records, or the offsets are none.

        Example:
            ```python
            import array

            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    assert ring.submit_many(array.array("Q", [1, 2, 3])) == 3
                    assert ring.submit_many(b"abcdef", size=2) == 3
                    words = array.array("i", [0, 3, 3, 6])
                    assert ring.submit_many(b"oneTWO", offsets=words) == 3
                    assert bpf.programs["drain"].test_run().retval == 9
            ```
        """

    def close(self) -> None:
        """Close the ring; may be called again.

        Samples that are still reserved are discarded, so that those behind them are drained.
        Threads that wait for room get RingClosed.

        Raises:
            BufferError: A view of a reserved sample is still alive; the ring stays open.

        Source: `user_ring_buffer__free` of libbpf.
        """

    def _reserve_now(self, size: SupportsIndex, turn: bool) -> Sample: ...
    def _write_now(self, data: Bytes, turn: bool) -> None: ...
    def _submit_many_now(
        self,
        records: Bytes,
        size: SupportsIndex | None,
        offsets: Bytes | None,
        start: SupportsIndex,
        checked: bool,
        turn: bool,
    ) -> int: ...
    def _discard_at(self, position: int, header: int, /) -> bool: ...
    def _close_at_exit(self) -> None: ...

def map_by_id(number: int, /) -> int: ...

@final
class Sample(_Buffer):  # type: ignore[misc,unused-ignore]
    """A reserved sample: a writable, 8-byte aligned buffer in the ring, until it is submitted.

    Write to it by index (`sample[:] = data`) or through a view (`memoryview(sample)`,
    `struct.pack_into`, `numpy.frombuffer`). `sample[i]` is an int, `sample[a:b]` a copy in bytes.
    Its bytes are what earlier samples left there: nothing is zeroed.

    As a context manager it is submitted at the end of the block, and discarded on an exception. If
    the ring was closed in the block, the end raises `SampleLost`. While a view of it is alive, it
    can be neither submitted nor discarded: `BufferError`. A sample that is dropped is discarded.
    `UserRingBuffer.reserve` and its kin make samples.

    Threads may write to different parts of a sample; the ring's calls on it lock.

    Example:
        ```python
        import userrb

        with userrb.BpfObject("drain.bpf.o") as bpf:
            with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                with ring.reserve(8) as sample:
                    sample[:] = b"8 bytes."
                assert bpf.programs["drain"].test_run().retval == 1
        ```
    """

    @property
    def state(self) -> Literal["reserved", "submitted", "discarded"]:
        """What became of the sample; closing its ring discards it."""

    def submit(self) -> None:
        """Submit the sample: from now on it is the kernel's.

        May be called from several threads.

        Raises:
            SampleError: It was submitted or discarded before, or reserved by the parent of this
                process.
            BufferError: A view of it is still alive; it stays reserved.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    sample = ring.reserve(8)
                    sample[:] = b"8 bytes."
                    sample.submit()
                    assert sample.state == "submitted"
                    assert bpf.programs["drain"].test_run().retval == 1
            ```

        Source: `user_ring_buffer__submit` of libbpf.
        """

    def discard(self) -> None:
        """Discard the sample: the kernel skips it, and its room comes back with the next drain.

        May be called from several threads.

        Raises:
            SampleError: As for `submit`.
            BufferError: As for `submit`.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    ring.reserve(8).discard()
                    assert bpf.programs["drain"].test_run().retval == 0
            ```

        Source: `user_ring_buffer__discard` of libbpf.
        """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> bytes: ...
    @overload
    def __setitem__(self, key: SupportsIndex, value: int, /) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Buffer, /) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]: ...

class Taken:
    """What was taken from a kernel ring buffer at once; a `Batch` has it as its base."""

    @property
    def _memory(self) -> Memory | None:
        """What the ring's memory is in; None when the ring has gone on."""

    @property
    def _views(self) -> list[memoryview]:
        """The views that were handed out."""

    @property
    def _count(self) -> int:
        """How many samples there are."""

    def _end(self) -> None:
        """Forget memory and views, as the ring has gone on."""

@final
class Reader:
    """Finds the samples of a kernel ring buffer; `RingBuffer` makes views of them."""

    def __new__(cls, map_fd: int, size: int, views: mmap, batch: type[Batch], /) -> Self: ...
    @property
    def produced(self) -> int:
        """The producer position."""

    @property
    def consumed(self) -> int:
        """The consumer position."""

    @property
    def mine(self) -> bool:
        """Whether it was this thread that took samples last."""

    def take(self, limit: int, memory: object, before: Batch | None, /) -> Batch | None:
        """Consume what was taken before, and take the samples that wait, as a batch.

        Returns None, and does nothing, where somebody may still have a view of those before.
        """

    def finish(self, batch: Batch, /) -> None:
        """Consume a batch, if none was taken after it."""

    def ready(self) -> bool:
        """Tell whether there is something to take."""

    def span(self, index: int, /) -> tuple[int, int]:
        """Return where a sample that was taken begins in the data area, and its length."""

    def starts(self) -> bytes:
        """Return where each begins, as an array of 32 bits."""

    def lengths(self) -> bytes:
        """Return how long each is, as an array of 32 bits."""

    def copy(self) -> bytes:
        """Return a copy of all, one behind the other."""

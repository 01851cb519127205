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
        """Size of the ring's data area in bytes, a power of two.

        A sample of `n` bytes takes `n + 8` of them, rounded up to a multiple of 8.
        """

    @property
    def free(self) -> int:
        """Free bytes, for samples with their headers and padding.

        A sample that is 8 bytes smaller fits, unless another producer takes the room first.

        Raises:
            RingClosed: The ring is closed.
        """

    @property
    def closed(self) -> bool:
        """Whether the ring is closed."""

    @property
    def producer_position(self) -> int:
        """Bytes reserved since the map was created, headers and padding included.

        Raises:
            RingClosed: The ring is closed.
        """

    @property
    def consumer_position(self) -> int:
        """Bytes drained since the map was created, headers and padding included.

        It equals the producer position when nothing is left to drain.

        Raises:
            RingClosed: The ring is closed.
        """

    def fileno(self) -> int:
        """Return the ring's own descriptor of the map, valid until the ring is closed.

        Wait on it edge-triggered (`EPOLLET`), because it is writable whenever the ring is not
        completely full.

        Raises:
            RingClosed: The ring is closed.
        """

    def reserve(self, size: SupportsIndex) -> Sample:
        """Reserve a sample, without waiting.

        Submit or discard it soon: later samples are not drained before that. If you drop it without
        either, it is discarded.

        May be called from several threads; the ring takes the lock that libbpf leaves to the
        caller. If another producer holds the lock for 25 ms, for example because its process is
        stopped, the call fails as if there were no room. So do `write` and `submit_many` with a
        timeout of 0.

        Args:
            size: Size of the sample in bytes, without its header; 0 is valid. The largest is the
                ring's size minus 8, and less than 2**24, because the kernel cannot drain more.

        Returns:
            The sample: a writable buffer in the ring. It holds bytes of earlier samples.

        Raises:
            RingFull: `ENOSPC`: there is no room now.
            SampleTooLarge: `E2BIG`: there can never be room.
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
        """Reserve a sample; if there is no room, wait until a drain makes some.

        The wait sleeps, even if the ring is only partly full, and releases the GIL. Signal handlers
        run during the wait. If a handler raises, as that of Ctrl-C does, the wait ends; otherwise
        it continues for the rest of its time (PEP 475). Room that a drain with `BPF_RB_NO_WAKEUP`
        makes is noticed within 20 ms. With -1 it waits until there is room; libbpf's function gives
        up after one wakeup.

        May be called from several threads. They are not served in order: a large sample may wait
        while small ones find room.

        Args:
            size: As for `reserve`.
            timeout_ms: The longest time to wait, in milliseconds; 0 does not wait, -1 waits
                forever.

        Returns:
            The sample, as from `reserve`.

        Raises:
            RingTimeout: `ENOSPC`: there was no room within the timeout. It is a `TimeoutError`.
            RingFull: `ENOSPC`: the timeout is 0, and there is no room.
            SampleTooLarge: `E2BIG`: there can never be room.
            BadTimeout: `EINVAL`: the timeout is less than -1, or too large.
            RingClosed: The ring is closed, or another thread closed it during the wait.
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

        Source: works like `user_ring_buffer__reserve_blocking` of libbpf, but waits differently.
        """

    def submit(self, sample: Sample, /) -> None:
        """Submit a sample: hand it to the kernel.

        May be called from several threads.

        Args:
            sample: A sample that you reserved in this ring.

        Raises:
            SampleError: The sample was submitted or discarded already, or was reserved in another
                ring or in the parent process.
            BufferError: A view of the sample is still alive. The sample stays reserved.

        Example:
            ```python
            import userrb

            with userrb.BpfObject("drain.bpf.o") as bpf:
                with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                    first, second = ring.reserve(8), ring.reserve(8)
                    ring.submit(second)
                    assert bpf.programs["drain"].test_run().retval == 0  # it waits for `first`
                    ring.submit(first)
                    assert bpf.programs["drain"].test_run().retval == 2
            ```

        Source: `user_ring_buffer__submit` of libbpf.
        """

    def discard(self, sample: Sample, /) -> None:
        """Discard a sample: the kernel skips it, and the next drain frees its room.

        May be called from several threads.

        Args:
            sample: A sample that you reserved in this ring.

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

        This is the fastest way to send one sample. May be called from several threads.

        Args:
            data: Any contiguous buffer.
            timeout_ms: As for `reserve_blocking`, but the default, 0, does not wait.

        Raises:
            RingTimeout: As for `reserve_blocking`.
            RingFull: As for `reserve_blocking`.
            SampleTooLarge: `E2BIG`: there can never be room.
            BadTimeout: `EINVAL`: as for `reserve_blocking`.
            RingClosed: As for `reserve_blocking`.

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

        May be called from several threads. Samples of other threads never come within a batch, but
        a call that waits submits several batches. The call releases the GIL for 16 KiB and more: do
        not change the records while it runs.

        Args:
            records: Any C-contiguous buffer: an array, a NumPy array (structured or not), bytes. A
                record is an item of it, or `size` bytes of it, or as `offsets` says.
            size: Size of a record in bytes. Required if an item of the buffer is a single byte, as
                in bytes, `mmap` and `memoryview(b"...")`.
            timeout_ms: As for `reserve_blocking`, but the default, 0, submits what fits now.
            offsets: For records of different sizes, in Arrow's layout: 32 or 64 bit integers, one
                more than there are records. Record `i` is bytes `offsets[i]` to `offsets[i + 1]`.
            start: Index of the first record to submit, to continue where an earlier call ended.
                Such a call checks the offsets of each record only when it submits it.

        Returns:
            How many records were submitted: all of them, unless the time ran out.

        Raises:
            SampleTooLarge: `E2BIG`: a record can never fit. Nothing was submitted.
            BadTimeout: `EINVAL`: as for `reserve_blocking`.
            RingClosed: As for `reserve_blocking`.
            KeyboardInterrupt: Ctrl-C ended the wait, or a signal handler raised something else. The
                attribute `submitted` of every exception says how many records this call submitted;
                add it to `start` to continue.
            ValueError: The buffer is not a whole number of records, or the offsets are invalid.

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
        """Close the ring. You may call it again.

        It discards samples that are still reserved, so that they do not block later ones. Threads
        that wait for room get `RingClosed`.

        Raises:
            BufferError: A view of a reserved sample is still alive. The ring stays open.

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
    """A reserved sample: a writable buffer in the ring, aligned to 8 bytes.

    Write to it by index (`sample[:] = data`) or through a view (`memoryview(sample)`,
    `struct.pack_into`, `numpy.frombuffer`). `sample[i]` is an int, `sample[a:b]` a copy as bytes.
    The memory is not zeroed: it holds bytes of earlier samples.

    Use it as a context manager: the end of the block submits it, an exception discards it. If the
    ring was closed in the block, the end raises `SampleLost`. A sample that you drop is discarded.
    While a view of it is alive, submitting and discarding raise `BufferError`.

    `UserRingBuffer.reserve`, `reserve_blocking` and `reserve_async` return samples.

    Threads may write to different parts of a sample. Several threads may submit or discard it;
    only the first succeeds.

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
        """Whether the sample is reserved, submitted or discarded; closing its ring discards it."""

    def submit(self) -> None:
        """Submit the sample: hand it to the kernel.

        May be called from several threads.

        Raises:
            SampleError: The sample was submitted or discarded already, or was reserved in the
                parent process.
            BufferError: A view of the sample is still alive. The sample stays reserved.

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
        """Discard the sample: the kernel skips it, and the next drain frees its room.

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

"""The asyncio calls: no spinning, no blocking, clean cancellation."""

from __future__ import annotations

import array
import asyncio
import os
import time
from collections.abc import Callable

import pytest

import userrb

Drain = Callable[[], int]

FULL = 1016


@pytest.fixture
def full(ring: userrb.UserRingBuffer) -> userrb.UserRingBuffer:
    """A ring without a byte of room."""
    for _ in range(4):
        ring.write(bytes(FULL))
    return ring


def test_with_room_nothing_waits(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """Each call succeeds at once where there is room."""

    async def produce() -> None:
        await ring.write_async(bytes(8))
        with await ring.reserve_async(8) as sample:
            sample[:] = bytes(8)
        assert await ring.submit_many_async(array.array("Q", [1, 2])) == 2

    asyncio.run(produce())
    assert drain() == 4


@pytest.mark.parametrize("program", ["drain", "drain_no_wakeup"])
def test_a_drain_ends_the_wait(
    bpf: userrb.BpfObject, full: userrb.UserRingBuffer, program: str
) -> None:
    """The wait ends after a drain, with and without its wakeup, and other tasks run meanwhile."""

    async def main() -> float:
        start = time.monotonic()
        asyncio.get_running_loop().call_later(0.1, bpf.programs[program].test_run)
        await full.write_async(bytes(FULL))
        return time.monotonic() - start

    assert 0.1 <= asyncio.run(main()) < 0.4


@pytest.mark.parametrize("size", [8, FULL + 1])
def test_a_timeout_takes_its_time_and_no_cpu(
    ring: userrb.UserRingBuffer, drain: Drain, size: int
) -> None:
    """F15: the loop sleeps while a task waits, on a full and on a partly full ring."""
    for _ in range(4 if size == 8 else 3):
        ring.write(bytes(FULL))

    async def main() -> None:
        with pytest.raises(userrb.RingFull):
            await ring.reserve_async(size, timeout_ms=500)

    async def idle() -> None:
        for _ in range(25):
            await asyncio.sleep(0.02)

    start, cpu = time.monotonic(), time.process_time()
    asyncio.run(main())
    took, cpu = time.monotonic() - start, time.process_time() - cpu
    assert 0.5 <= took < 1
    # Not much more than a task that wakes up as often and does nothing; a spin takes 80 times.
    start = time.process_time()
    asyncio.run(idle())
    assert cpu < 10 * (time.process_time() - start)
    assert drain() == (4 if size == 8 else 3)


def test_zero_does_not_wait(full: userrb.UserRingBuffer) -> None:
    """timeout_ms=0 raises RingFull at once."""

    async def main() -> None:
        with pytest.raises(userrb.RingFull):
            await full.write_async(b"", timeout_ms=0)

    asyncio.run(main())


def test_a_bad_timeout_is_refused(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """A bad timeout is BadTimeout although there is room."""

    async def main() -> None:
        with pytest.raises(userrb.BadTimeout):
            await ring.write_async(b"", timeout_ms=-2)

    asyncio.run(main())
    assert drain() == 0


def test_a_cancelled_task_leaves_nothing(full: userrb.UserRingBuffer, drain: Drain) -> None:
    """A cancelled wait writes nothing, and leaves no descriptor and no reader behind."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    async def main() -> None:
        tasks = [
            asyncio.create_task(full.write_async(bytes(8))),
            asyncio.create_task(full.reserve_async(8)),
            asyncio.create_task(full.submit_many_async(array.array("Q", [1]))),
        ]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError)

    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert drain() == 4
    assert drain() == 0


def test_close_ends_a_wait(full: userrb.UserRingBuffer) -> None:
    """A task that waits gets RingClosed when the ring is closed."""

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.05, full.close)
        with pytest.raises(userrb.RingClosed):
            await full.write_async(b"")

    asyncio.run(main())


def test_a_large_batch_goes_through_in_parts(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """A batch larger than the ring is submitted whole while another task drains."""
    drained = 0

    async def drain_on() -> None:
        nonlocal drained
        while True:
            drained += bpf.programs["drain"].test_run().retval
            await asyncio.sleep(0.001)

    async def main() -> None:
        draining = asyncio.create_task(drain_on())
        assert await ring.submit_many_async(array.array("Q", range(5000))) == 5000
        records = array.array("Q", range(600))
        assert await ring.submit_many_async(records, start=100, timeout_ms=1000) == 500
        draining.cancel()

    asyncio.run(main())
    assert drained + bpf.programs["drain"].test_run().retval == 5500


def test_a_batch_returns_what_found_room_in_time(ring: userrb.UserRingBuffer) -> None:
    """When the time is over, the count is the answer."""
    assert asyncio.run(ring.submit_many_async(bytes(300 * 8), 8, timeout_ms=50)) == 256


def test_many_tasks_share_a_ring(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """A hundred waiting tasks all get through, each with a waiter of its own."""
    drained = 0

    async def main() -> None:
        nonlocal drained
        tasks = [asyncio.create_task(ring.write_async(bytes(500))) for _ in range(100)]
        while not all(task.done() for task in tasks):
            drained += bpf.programs["drain"].test_run().retval
            await asyncio.sleep(0.001)

    asyncio.run(main())
    assert drained + bpf.programs["drain"].test_run().retval == 100

"""The line in which the tasks of a loop wait for a ring, on asyncio's loop and on uvloop."""

from __future__ import annotations

import array
import asyncio
import errno
import resource
import struct
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

import userrb

Drain = Callable[[], int]
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine on one of the loops."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let the process open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def fill(ring: userrb.UserRingBuffer) -> None:
    """Leave no byte of room in an empty ring."""
    ring.write(bytes(ring.size - 8))


def test_ten_thousand_tasks_are_served_in_order(
    run: Run, ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """However many tasks wait for one ring, each gets its turn, first come, first served."""
    tasks, served = 10_000, list[int]()

    async def write(number: int) -> None:
        await ring.write_async(struct.pack("=Q", number))
        served.append(number)

    async def main() -> None:
        fill(ring)
        waiting = asyncio.gather(*(write(number) for number in range(tasks)))
        await asyncio.sleep(0)
        drained = -1  # what fills the ring
        while len(served) < tasks:
            drained += drain()
            await asyncio.sleep(0.001)
        await waiting
        assert drained + drain() == tasks

    run(main())
    assert served == list(range(tasks))


@pytest.mark.host  # an emulated processor takes ten times as long for a tick
def test_tasks_that_wait_take_no_cpu(run: Run, ring: userrb.UserRingBuffer) -> None:
    """While nothing is drained, 500 tasks take less than 2 % of a core."""

    async def main() -> None:
        fill(ring)
        tasks = [asyncio.create_task(ring.write_async(bytes(8))) for _ in range(500)]
        await asyncio.sleep(0.1)
        before, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(1)
        cpu = time.process_time() - cpu
        assert cpu < 0.02 * (time.monotonic() - before)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_who_leaves_the_line_gives_its_turn_away(
    run: Run, ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """When the first task is cancelled, or its time is over, the next one finds the room."""

    async def main() -> None:
        held = ring.reserve(2000)
        ring.write(bytes(ring.size - 2008 - 1000 - 8))
        cancelled = asyncio.create_task(ring.write_async(bytes(2000)))
        late = asyncio.create_task(ring.write_async(bytes(2000), timeout_ms=100))
        small = asyncio.create_task(ring.write_async(bytes(8)))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        with pytest.raises(TimeoutError):
            await late
        await small
        held.discard()
        assert drain() == 2

    run(main())


def test_closing_ends_every_wait(run: Run, ring: userrb.UserRingBuffer) -> None:
    """All tasks in a line get RingClosed, not only the first."""

    async def main() -> None:
        fill(ring)
        tasks = [asyncio.create_task(ring.write_async(b"")) for _ in range(100)]
        await asyncio.sleep(0.05)
        ring.close()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in ended] == [userrb.RingClosed] * 100

    run(main())


def test_a_cancelled_batch_tells_how_far_it_came(
    run: Run, ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """CancelledError has the number of records that were sent, and `start` goes on from there."""
    records = array.array("Q", range(300))

    async def main() -> None:
        task = asyncio.create_task(ring.submit_many_async(records, start=10))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        sent = caught.value.submitted  # type: ignore[attr-defined]
        assert sent == drain() == 256
        assert await ring.submit_many_async(records, start=10 + sent) == 34
        assert drain() == 34

    run(main())


def test_a_batch_whose_ring_is_closed_tells_how_far_it_came(
    run: Run, ring: userrb.UserRingBuffer
) -> None:
    """RingClosed has the number of records that were sent."""

    async def main() -> None:
        task = asyncio.create_task(ring.submit_many_async(bytes(300 * 8), 8))
        await asyncio.sleep(0.05)
        ring.close()
        with pytest.raises(userrb.RingClosed) as caught:
            await task
        assert caught.value.submitted == 256

    run(main())


def test_a_bad_record_tells_how_many_were_sent_before_it(
    run: Run, ring: userrb.UserRingBuffer
) -> None:
    """Records with bad offsets, met after a `start`, count those before."""
    ends = array.array("q", [0, 8, 16, 24, 99])

    async def main() -> None:
        with pytest.raises(ValueError, match="offset 4 is 99") as caught:
            await ring.submit_many_async(bytes(32), offsets=ends, start=1)
        assert caught.value.submitted == 2  # type: ignore[attr-defined]

    run(main())


def test_a_loop_without_a_descriptor_left_gets_an_error_of_the_package(
    run: Run, ring: userrb.UserRingBuffer
) -> None:
    """EMFILE in a wait of asyncio's is a userrb.Error."""

    async def main() -> None:
        fill(ring)
        with no_descriptor_left(), pytest.raises(userrb.BpfError) as caught:
            await ring.write_async(b"", timeout_ms=100)
        assert caught.value.errno == errno.EMFILE

    run(main())


def test_a_thread_without_a_descriptor_left_gets_an_error_of_the_package(
    ring: userrb.UserRingBuffer,
) -> None:
    """EMFILE in a wait is a userrb.Error, and the next wait works."""
    fill(ring)
    with no_descriptor_left(), pytest.raises(userrb.BpfError) as caught:
        ring.write(b"", timeout_ms=100)
    assert caught.value.errno == errno.EMFILE
    with pytest.raises(userrb.RingTimeout):
        ring.write(b"", timeout_ms=100)


def test_a_timeout_that_is_no_integer_is_refused(run: Run, ring: userrb.UserRingBuffer) -> None:
    """-0.5 is neither 0 nor -1."""

    async def main() -> None:
        for call in (ring.reserve_async(8, -0.5), ring.write_async(b"", 0.5)):  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                await call

    run(main())

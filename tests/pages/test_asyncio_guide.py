"""What the page of asyncio says and its examples do not show."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

import pytest

import userrb


def test_where_there_is_room_control_is_not_given_up(ring: userrb.UserRingBuffer) -> None:
    """The coroutine ends in its first step, and needs no event loop."""
    for call in (ring.write_async(b"8 bytes."), ring.submit_many_async(bytes(80), size=8)):
        with pytest.raises(StopIteration):
            call.send(None)
    with pytest.raises(StopIteration) as end:
        ring.reserve_async(8).send(None)
    ring.discard(end.value.value)


def test_tasks_of_a_loop_do_not_keep_others_from_being_driven_by_hand(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """Beside a loop whose tasks wait for another ring, a coroutine still needs no loop."""
    loop = asyncio.new_event_loop()
    with userrb.UserRingBuffer(bpf.maps["samples"]) as other:
        other.write(bytes(4000))
        waiting = loop.create_task(other.write_async(bytes(2000)))
        loop.run_until_complete(asyncio.sleep(0))
        with pytest.raises(StopIteration):
            ring.write_async(b"8 bytes.").send(None)
        waiting.cancel()
        loop.run_until_complete(asyncio.wait([waiting]))
    loop.close()


def test_tasks_are_served_in_turn(ring: userrb.UserRingBuffer, drain: Callable[[], int]) -> None:
    """A task that needs little room waits behind one that needs much; other calls do not."""

    async def produce() -> None:
        ring.write(bytes(4000))
        large = asyncio.create_task(ring.write_async(bytes(2000)))
        await asyncio.sleep(0.05)
        small = asyncio.create_task(ring.write_async(b"8 bytes."))
        await asyncio.sleep(0.05)
        assert not large.done()
        assert not small.done()
        ring.write(b"8 bytes.")
        assert drain() == 2
        await asyncio.gather(large, small)
        assert drain() == 2

    asyncio.run(produce())


def test_other_samples_may_stand_between_two_batches(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """Batches of 256 records of 1, and between the first two a sample of 1000."""

    async def produce() -> None:
        records = b"\1\0\0\0\0\0\0\0" * 400
        large = asyncio.create_task(ring.submit_many_async(records, size=8))
        await asyncio.sleep(0)
        digests = [bpf.programs["drain_digest"].test_run().retval & 0xFFFFFFFF]
        ring.write((1000).to_bytes(8, "little"))
        assert await large == 400
        digests.append(bpf.programs["drain_digest"].test_run().retval & 0xFFFFFFFF)
        assert digests == [digest([1] * 256), digest([1000] + [1] * 144)]

    asyncio.run(produce())


def digest(values: list[int]) -> int:
    """Computes what drain_digest computes."""
    total = 0
    for value in values:
        total = (total * 31 + value) & 0xFFFFFFFF
    return total


def test_an_edge_that_is_not_taken_spins(ring: userrb.UserRingBuffer) -> None:
    """Hence epoll.poll(0) in the function that the loop calls."""
    calls = 0

    async def watch() -> None:
        def count() -> None:
            nonlocal calls
            calls += 1

        loop = asyncio.get_running_loop()
        with select.epoll() as epoll:
            epoll.register(ring.fileno(), select.EPOLLOUT | select.EPOLLET)
            loop.add_reader(epoll.fileno(), count)
            await asyncio.sleep(0.1)
            loop.remove_reader(epoll.fileno())

    asyncio.run(watch())
    assert calls > 10


def test_a_full_ring_is_no_edge(ring: userrb.UserRingBuffer) -> None:
    """Readable at the beginning only if the ring is not full."""
    ring.write(bytes(4088))
    with select.epoll() as epoll, select.epoll() as outer:
        epoll.register(ring.fileno(), select.EPOLLOUT | select.EPOLLET)
        outer.register(epoll.fileno(), select.EPOLLIN)
        assert not outer.poll(0.1)

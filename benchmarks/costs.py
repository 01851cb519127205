"""What a sample costs to produce: each way of userrb beside the C loop, in turns."""

from __future__ import annotations

import struct
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import userrb
from benchmarks import loops
from benchmarks.build import program
from benchmarks.effort import MAIN_RING, Effort
from benchmarks.figures import Figure, compare
from benchmarks.peer import Peer, on_one_processor, processors
from benchmarks.rig import Rig

UNIT = "ns"
GROUP = "Producing a record"
SIZES = "Producing a record, by size of ring"
FEW = 2048
"""Records a turn where Python makes a call for each: a ringful would last longer than the scheduler
lets a process run when others want to."""

Data = TypeVar("Data")


@dataclass(frozen=True)
class Contestant:
    """One way to fill the ring.

    Attributes:
        key: Its figure's key.
        what: Its figure's words.
        record_bytes: The size of a record; the C loop of the same size is what it is compared with.
        count: Records a turn.
        fill: Writes so many into the ring and returns how long that took, in nanoseconds.
    """

    key: str
    what: str
    record_bytes: int
    count: int
    fill: Callable[[], int]


def timed(
    loop: Callable[[userrb.UserRingBuffer, Data], None], ring: userrb.UserRingBuffer, data: Data
) -> Callable[[], int]:
    """Return what runs a loop over the data and tells how long it took, in nanoseconds."""

    def run() -> int:
        start = time.perf_counter_ns()
        loop(ring, data)
        return time.perf_counter_ns() - start

    return run


def c_loop(rig: Rig, peer: Peer, record_bytes: int, key: str) -> Contestant:
    """Return the C program's loop."""
    count = rig.room(record_bytes)
    what = "The C loop, compared with itself"
    request = f"{record_bytes} {count}"
    return Contestant(key, what, record_bytes, count, lambda: peer.ask(request)[0])


def batch_of(record_bytes: int) -> Callable[[userrb.UserRingBuffer, bytes], None]:
    """Return a loop of one turn: a submit_many of bytes, whose records have this size."""

    def batch(ring: userrb.UserRingBuffer, records: bytes) -> None:
        if ring.submit_many(records, size=record_bytes) * record_bytes != len(records):
            raise loops.Short("submit_many")

    return batch


def batch_of_bytes(rig: Rig, record_bytes: int) -> Contestant:
    """Return a ringful of bytes in one submit_many. Record i begins with i."""
    count = rig.room(record_bytes)
    words = array("Q", bytes(record_bytes * count))
    words[:: record_bytes // 8] = array("Q", range(count))
    run = timed(batch_of(record_bytes), rig.ring, words.tobytes())
    what = f"`submit_many` of bytes, `size={record_bytes}`"
    return Contestant(f"submit_many_{record_bytes}", what, record_bytes, count, run)


def batch_of_array(rig: Rig) -> Contestant:
    """Return a ringful of an array in one submit_many."""
    values = array("Q", range(rig.room(8)))
    run = timed(loops.batches, rig.ring, [memoryview(values)])
    what = "`submit_many` of an `array`, 8 bytes"
    return Contestant("submit_many", what, 8, len(values), run)


def contestants(rig: Rig) -> Iterator[Contestant]:
    """Yield userrb's ways, on this ring."""
    ring = rig.ring
    values = array("Q", range(rig.room(8)))
    few = values[:FEW]
    singles = [struct.pack("=Q", value) for value in few]

    def in_parts(size: int) -> Contestant:
        view = memoryview(values)
        parts = [view[at : at + size] for at in range(0, len(view), size)]
        what = f"The same, {size} records a call"
        run = timed(loops.batches, ring, parts)
        return Contestant(f"submit_many_by_{size}", what, 8, len(values), run)

    def singly(
        key: str, what: str, loop: Callable[[userrb.UserRingBuffer, Iterable[bytes]], None]
    ) -> Contestant:
        return Contestant(key, what, 8, len(few), timed(loop, ring, singles))

    yield batch_of_array(rig)
    yield from map(in_parts, (1000, 100, 10))
    yield batch_of_bytes(rig, 8)
    yield batch_of_bytes(rig, 16)
    yield batch_of_bytes(rig, 64)
    yield singly("write", "`write` of 8 bytes", loops.write)
    yield singly("fill", "`reserve(8)`, `sample[:] = record`, `submit`", loops.fill)
    run = timed(loops.pack, ring, few)
    yield Contestant("pack", "`reserve(8)`, `struct.pack_into`, `submit`", 8, len(few), run)
    yield singly("with", "`with reserve(8)`, `sample[:] = record`", loops.with_form)


def race(rig: Rig, field: list[Contestant], rounds: int) -> dict[str, list[float]]:
    """Let all take turns; return nanoseconds a record by key, a value a round.

    Each round begins with another contestant. A turn is done twice and counts the second
    time: the first brings the contestant's records and code back into the caches. After each time
    the kernel drains, and what it read is compared with what the contestant had to send.
    """
    times: dict[str, list[float]] = {contestant.key: [] for contestant in field}
    for number in range(rounds):
        first = number % len(field)
        for contestant in field[first:] + field[:first]:
            for _ in range(2):
                ns = contestant.fill()
                rig.check(contestant.count)
            times[contestant.key].append(ns / contestant.count)
    return times


def measure(effort: Effort) -> list[Figure]:
    """Measures all ways on the main ring, and batches on the others."""
    return [
        *measure_ways(effort),
        *(measure_ring(ring_bytes, effort) for ring_bytes in effort.rings),
    ]


def measure_ways(effort: Effort) -> list[Figure]:
    """Measures all ways on the main ring."""
    with on_one_processor(), Rig(MAIN_RING) as rig, producer(rig) as peer:
        ways = list(contestants(rig))
        loops_in_c = [c_loop(rig, peer, size, f"c_{size}") for size in (8, 16, 64)]
        again = c_loop(rig, peer, 8, "c_again")
        times = race(rig, [*loops_in_c, *ways, again], effort.rounds)
    return [
        compare(
            times[way.key],
            times[f"c_{way.record_bytes}"],
            key=way.key,
            group=GROUP,
            what=way.what,
            unit=UNIT,
        )
        for way in [*ways, again]
    ]


def measure_ring(ring_bytes: int, effort: Effort) -> Figure:
    """Measures batches of 8-byte records in a ring of another size."""
    with on_one_processor(), Rig(ring_bytes) as rig, producer(rig) as peer:
        # As many samples in all as on the main ring, or the larger rings would take minutes.
        rounds = max(effort.rounds * MAIN_RING // ring_bytes, 10)
        batch = batch_of_array(rig)
        times = race(rig, [c_loop(rig, peer, 8, "c"), batch], min(rounds, effort.rounds))
    kib = ring_bytes >> 10
    what = f"`submit_many` of an `array`, 8 bytes, ring of {kib} KiB"
    return compare(
        times[batch.key], times["c"], key=f"ring_{kib}_kib", group=SIZES, what=what, unit=UNIT
    )


def producer(rig: Rig) -> Peer:
    """Start the C program on this ring, on the processor of its rival."""
    fds = [rig.fd(), rig.fd("drain"), rig.fd("drain_packed")]
    return Peer([program("produce")], fds, processors()[0])

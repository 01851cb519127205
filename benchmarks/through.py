"""From the producer through the kernel: what a record costs until the BPF program has read it."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable

from benchmarks import loops
from benchmarks.build import PACKED
from benchmarks.costs import producer
from benchmarks.effort import MAIN_RING, Effort
from benchmarks.figures import Figure, compare
from benchmarks.peer import on_one_processor
from benchmarks.rig import HEADER, Rig

UNIT = "ns"
GROUP = "Producing and draining a record"
ITEM = 8


def measure(effort: Effort) -> list[Figure]:
    """Measures packed samples, a ringful a round, against one record a sample in C."""
    with on_one_processor(), Rig(MAIN_RING) as rig, producer(rig) as peer:
        singly = rig.room(ITEM)
        samples = rig.bytes // (HEADER + PACKED * ITEM)
        values = array("Q", range(max(samples * PACKED, singly)))
        packed, singles = memoryview(values)[: samples * PACKED], memoryview(values)[:singly]
        data = packed.cast("B")
        parts = [packed[at : at + PACKED] for at in range(0, len(packed), PACKED)]

        def batch() -> None:
            if rig.ring.submit_many(data, size=PACKED * ITEM) != samples:
                raise loops.Short("submit_many")

        def single_batch() -> None:
            loops.batches(rig.ring, [singles])

        def write() -> None:
            loops.write(rig.ring, parts)

        def fill() -> None:
            loops.fill_packed(rig.ring, parts)

        def timed(produce: Callable[[], None], drain: str, count: int) -> float:
            start = time.perf_counter_ns()
            produce()
            drained = rig.bpf.programs[drain].test_run().retval
            ns = time.perf_counter_ns() - start
            rig.check_sum(drained, count)
            return ns / count

        def in_c(request: str, drained: int) -> float:
            ns = peer.ask(request)[0]  # it ends, and so do we, if its drain counted otherwise
            rig.check_sum(drained, drained)
            return ns / drained

        ways: dict[str, tuple[str, Callable[[], float]]] = {
            "packed_fill": (
                f"{PACKED} records a sample, `with reserve(n)`, `sample[:] = records`",
                lambda: timed(fill, "drain_packed", len(packed)),
            ),
            "packed_write": (
                f"{PACKED} records a sample, `write`",
                lambda: timed(write, "drain_packed", len(packed)),
            ),
            "packed_submit_many": (
                f"{PACKED} records a sample, `submit_many` with `size={PACKED * ITEM}`",
                lambda: timed(batch, "drain_packed", len(packed)),
            ),
            "packed_c": (
                f"{PACKED} records a sample, the C program itself",
                lambda: in_c(f"packed {samples}", len(packed)),
            ),
            "through_submit_many": (
                "One record a sample, `submit_many`",
                lambda: timed(single_batch, "drain", singly),
            ),
        }
        c: list[float] = []
        times: dict[str, list[float]] = {key: [] for key in ways}
        for number in range(effort.rounds + 1):
            base = in_c(f"through {singly}", singly)
            round_ = {key: run() for key, (_, run) in ways.items()}
            if number:  # round 0 warms up
                c.append(base)
                for key, ns in round_.items():
                    times[key].append(ns)
    return [
        compare(times[key], c, key=key, group=GROUP, what=what, unit=UNIT)
        for key, (what, _) in ways.items()
    ]

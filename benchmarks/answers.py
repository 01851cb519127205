"""What an answer costs to read: userrb's consumer beside libbpf's, in turns on one ring.

Run it alone: python -m benchmarks.answers
"""

from __future__ import annotations

import ctypes
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import userrb
from benchmarks import tables
from benchmarks.build import bpf_program, library
from benchmarks.effort import Effort
from benchmarks.figures import Figure, compare
from benchmarks.results import Results
from benchmarks.rig import Miscount

now = time.perf_counter_ns
"""The clock, whose own time is taken off: it is a tenth of what a hundred answers take."""
PAIRS = 1000
"""Pairs of readings of the clock that a scene takes: the shortest is the clock's own time.

A pair beside each measurement would not do: whoever is interrupted between the two takes off more
than the measurement took.
"""

GROUP = "Reading an answer"
UNIT = "ns"
WAITING = (100, 1000, 8000)
"""How many answers wait when a turn begins."""
TURNS = 20
"""Turns that make one value: a single one is too short for the clock."""


class Scene:
    """A kernel ring buffer, the program that fills it, and the two that read it."""

    def __init__(self, bpf: userrb.BpfObject, ring: userrb.RingBuffer) -> None:
        self.fill = bpf.programs["fill"]
        self.size = bpf.structs["answer"].size
        self.ring = ring
        self.c = ctypes.CDLL(str(library("consume")))
        self.c.consume.restype = ctypes.c_int64
        self.c.consume_open.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.c.consume_open(ring.fileno()))
        self.clock = min(-now() + now() for _ in range(PAIRS))

    def by_libbpf(self, count: int) -> int:
        """Return the nanoseconds that one call of libbpf's takes."""
        taken = ctypes.c_int()
        elapsed = int(self.c.consume(self.handle, ctypes.byref(taken)))
        require(taken.value, count)
        return elapsed

    def by_batch(self, count: int) -> int:
        """Return the nanoseconds that `batch` takes."""
        start = now()
        batch = self.ring.batch()
        elapsed = now() - start
        require(len(batch), count)
        return elapsed - self.clock

    def by_copy(self, count: int) -> int:
        """Return the nanoseconds that `batch` and a copy of all answers take."""
        start = now()
        copy = self.ring.batch().tobytes()
        elapsed = now() - start
        require(len(copy), count * self.size)
        return elapsed - self.clock

    def by_views(self, count: int) -> int:
        """Return the nanoseconds that a loop over the answers takes."""
        start = now()
        seen = sum(1 for _ in self.ring.samples(timeout_ms=0))
        elapsed = now() - start
        require(seen, count)
        return elapsed - self.clock


WAYS: dict[str, tuple[str, Callable[[Scene, int], int]]] = {
    "batch": ("`batch`, one call", Scene.by_batch),
    "copy": ("`batch` and `tobytes`", Scene.by_copy),
    "samples": ("a loop over `samples`", Scene.by_views),
}


def require(found: int, expected: int) -> None:
    """Raise Miscount where a turn did not read what was there."""
    if found != expected:
        raise Miscount(f"{found} were read instead of {expected}")


@contextmanager
def scene() -> Iterator[Scene]:
    """Open a ring for one of the two: userrb remembers where it stood."""
    with (
        userrb.BpfObject(bpf_program("answers")) as bpf,
        userrb.RingBuffer(bpf.maps["answers"]) as ring,
    ):
        made = Scene(bpf, ring)
        yield made
        made.c.consume_close(made.handle)


def turn(made: Scene, count: int, way: Callable[[Scene, int], int]) -> float:
    """Return the nanoseconds of an answer."""
    elapsed = 0
    for _ in range(TURNS):
        made.fill.test_run(ctx=struct.pack("=I", count))
        elapsed += way(made, count)
    made.ring.batch()  # consumes what was taken last
    return elapsed / TURNS / count


def measure(effort: Effort) -> list[Figure]:
    """Measures each way beside libbpf's, in turns."""
    figures = []
    for count in WAITING:
        for key, (what, way) in WAYS.items():
            mine, theirs = [], []
            for _ in range(effort.rounds):
                with scene() as made:
                    theirs.append(turn(made, count, Scene.by_libbpf))
                with scene() as made:
                    mine.append(turn(made, count, way))
            words = f"{what}, {count:,} waiting"
            figures.append(
                compare(mine, theirs, key=f"{key}_{count}", group=GROUP, what=words, unit=UNIT)
            )
    return figures


if __name__ == "__main__":
    results = Results({}, measure(Effort()))
    print(tables.plain(tables.FIGURE_HEAD, list(tables.figure_rows(results.figures))), end="")
    sys.exit(0)

"""Waiting for room: what it costs, when it ends, and whether Ctrl-C ends it."""

from __future__ import annotations

import errno
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.build import program, stamping_extension
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Spread, compare, ratio
from benchmarks.peer import Peer, processors
from benchmarks.rig import HEADER, Miscount, Rig

GROUP = "Waiting for room"
RING = 4096
WHOLE = RING - HEADER
"""A sample that fills the ring."""
PART = WHOLE - 64
"""One that leaves some room, too little for WHOLE."""
BLOCKS = 20
"""Latencies are compared by the medians of so many blocks: one wake-up alone says little."""
MILLISECOND = 1_000_000
MICROSECOND = 1_000

STATES = {"full": WHOLE, "partly": PART}
WORDS = {"full": "a full ring", "partly": "a partly full ring"}


@dataclass(frozen=True)
class Answer:
    """What a process that waited says: nanoseconds of CLOCK_MONOTONIC, but `cpu`."""

    error: int
    began: int
    ended: int
    cpu: int
    inside: int


@dataclass(frozen=True)
class Scene:
    """A ring, two that can wait on it, and one that drains it."""

    rig: Rig
    waiters: dict[str, Peer]
    drainer: Peer

    def fill(self, size: int) -> None:
        """Leaves one sample of this size in the ring, and nothing else."""
        self.empty()
        self.rig.ring.write(bytes(size))

    def empty(self) -> None:
        """Drains until nothing is left, discarded samples included."""
        while self.rig.ring.producer_position != self.rig.ring.consumer_position:
            self.drainer.ask("drain")

    def wait(self, who: str, timeout_ms: int) -> None:
        """Let one of the two wait for the whole ring; return when it is about to."""
        self.waiters[who].ask(f"{WHOLE} {timeout_ms}")

    def answer(self, who: str, error: int) -> Answer:
        """Return what it says, which must be this errno."""
        answer = Answer(*self.waiters[who].hear())
        if answer.error != error:
            raise Miscount(f"{who}: errno {answer.error} instead of {error}")
        return answer


@contextmanager
def scene() -> Iterator[Scene]:
    """Set the scene: those that wait on one processor, what drains on another."""
    one, other = processors()
    python: list[str | Path] = [sys.executable, "-m", "benchmarks.waiting", stamping_extension()]
    with (
        Rig(RING) as rig,
        Peer(python, [rig.fd()], one) as userrb,
        Peer([program("wait")], [rig.fd()], one) as c,
        Peer([program("drain")], [rig.fd("drain_stamped")], other) as drainer,
    ):
        yield Scene(rig, {"userrb": userrb, "c": c}, drainer)


def measure(effort: Effort) -> list[Figure]:
    """Measures all three."""
    with scene() as stage:
        figures = [share(stage, state, effort) for state in STATES]
        figures += latency(stage, effort.wakes)
        figures += [interrupt(stage, state, effort.interrupts) for state in STATES]
    return figures


def share(stage: Scene, state: str, effort: Effort) -> Figure:
    """Measures how much of a core a wait takes that nothing ends but its timeout."""
    shares: dict[str, list[float]] = {who: [] for who in stage.waiters}
    for _ in range(effort.waits):
        for who, series in shares.items():
            stage.fill(STATES[state])
            stage.wait(who, effort.wait_ms)
            answer = stage.answer(who, errno.ENOSPC)
            series.append(100 * answer.cpu / (answer.ended - answer.began))
    what = f"Processor time of a wait of {effort.wait_ms} ms on {WORDS[state]}"
    return compare(
        shares["userrb"],
        shares["c"],
        key=f"cpu_{state}",
        group=GROUP,
        what=what,
        unit="% of a core",
    )


def latency(stage: Scene, wakes: int) -> list[Figure]:
    """Measures from the drain, stamped in the kernel, to the return of reserve on a full ring."""
    inside: dict[str, list[float]] = {who: [] for who in stage.waiters}
    on_top: list[float] = []
    for _ in range(wakes):
        for who, series in inside.items():
            stage.fill(WHOLE)
            stage.wait(who, 10_000)
            while not stage.waiters[who].asleep():
                time.sleep(0.0005)
            time.sleep(random.uniform(0.0005, 0.0025))  # noqa: S311
            drained, stamp = stage.drainer.ask("drain")
            answer = stage.answer(who, 0)
            if drained != 1 or not answer.began < stamp < answer.inside <= answer.ended:
                raise Miscount(f"{who}: drained {drained} at {stamp}, woken as of {answer}")
            series.append((answer.inside - stamp) / MICROSECOND)
            if who == "userrb":
                on_top.append((answer.ended - answer.inside) / MICROSECOND)
    blocks = min(BLOCKS, wakes)
    medians = {
        who: [statistics.median(series[at::blocks]) for at in range(blocks)]
        for who, series in inside.items()
    }
    what = "From the drain to the return of reserve, full ring, inside the extension"
    return [
        Figure(
            "latency",
            GROUP,
            what,
            "µs",
            Spread.of(inside["userrb"]),
            Spread.of(inside["c"]),
            ratio(medians["userrb"], medians["c"]),
        ),
        Figure("latency_python", GROUP, "The Python call on top of it", "µs", Spread.of(on_top)),
    ]


def interrupt(stage: Scene, state: str, times: int) -> Figure:
    """Measures from SIGINT to the end of the wait: KeyboardInterrupt, or the return of C."""
    took: dict[str, list[float]] = {who: [] for who in stage.waiters}
    for _ in range(times):
        for who, series in took.items():
            stage.fill(STATES[state])
            stage.wait(who, 1000)
            time.sleep(random.uniform(0.05, 0.15))  # noqa: S311
            sent = time.monotonic_ns()
            os.kill(stage.waiters[who].pid, signal.SIGINT)
            # libbpf spins on a partly full ring, and hears nothing until its time is over.
            deaf = who == "c" and state == "partly"
            answer = stage.answer(who, errno.ENOSPC if deaf else errno.EINTR)
            series.append((answer.ended - sent) / MILLISECOND)
    what = f"From Ctrl-C to the end of the wait (at most 1000 ms), {WORDS[state]}"
    return compare(
        took["userrb"], took["c"], key=f"interrupt_{state}", group=GROUP, what=what, unit="ms"
    )

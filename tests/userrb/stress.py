"""Random calls on a ring, from threads, tasks and forked children, with every sample accounted for.

    python -m tests.stress OBJECT --calls 1000000 --seed 1

Prints what was submitted and what the kernel took; the exit status is 0 where they agree.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import contextlib
import faulthandler
import os
import random
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import userrb

THREADS = 4
TALLY = struct.Struct("=QQQ")
MASK = (1 << 64) - 1


@dataclass
class Tally:
    """How many samples, and which, as far as the sum and the sum of squares can tell."""

    samples: int = 0
    sum: int = 0
    squares: int = 0

    def add(self, value: int) -> None:
        """Counts one sample."""
        self.merge(Tally(1, value, value * value))

    def merge(self, other: Tally) -> None:
        """Counts another's samples."""
        self.samples += other.samples
        self.sum = (self.sum + other.sum) & MASK
        self.squares = (self.squares + other.squares) & MASK


class Refused(Exception):
    """Raised inside a `with` block, to have its sample discarded."""


@dataclass
class Producer:
    """One thread's random calls."""

    bpf: userrb.BpfObject
    rings: list[userrb.UserRingBuffer]
    random: random.Random
    tally: Tally = field(default_factory=Tally)
    held: list[tuple[userrb.UserRingBuffer, userrb.Sample, int]] = field(default_factory=list)
    views: list[memoryview] = field(default_factory=list)

    def run(self, calls: int) -> None:
        """Makes the calls; every exception of the package's own is a valid answer."""
        actions: list[tuple[Callable[[userrb.UserRingBuffer], None], int]] = [
            (self.write, 30),
            (self.reserve, 30),
            (self.finish, 30),
            (self.drop, 6),
            (self.batch, 6),
            (self.batch_of_sizes, 3),
            (self.block, 6),
            (self.view, 4),
            (self.misuse, 6),
            (self.tasks, 1),
        ]
        choices, weights = zip(*actions, strict=True)
        for call in range(calls):
            ring = self.random.choice(self.rings)
            action = self.random.choices(choices, weights)[0]
            if call % 997 == 0:
                action = self.close
            elif call % 4999 == 0:
                action = self.fork
            with contextlib.suppress(userrb.Error, BufferError, Refused):
                action(ring)
            if len(self.held) > 50 or len(self.views) > 20:
                self.views.clear()
                self.held.clear()

    def record(self) -> tuple[int, bytes]:
        value = self.random.getrandbits(64)
        return value, struct.pack("=Q", value) + bytes(self.random.randrange(40))

    def write(self, ring: userrb.UserRingBuffer) -> None:
        value, data = self.record()
        ring.write(data, self.random.choice([0, 0, 0, 2]))
        self.tally.add(value)

    def reserve(self, ring: userrb.UserRingBuffer) -> None:
        value, data = self.record()
        sample = ring.reserve_blocking(len(data), self.random.choice([0, 2]))
        sample[:] = data
        self.held.append((ring, sample, value))

    def finish(self, _: userrb.UserRingBuffer) -> None:
        if self.held:
            at = self.random.randrange(len(self.held))
            ring, sample, value = self.held[at]
            alone = self.random.random() < 0.5
            if self.random.random() < 0.8:
                sample.submit() if alone else ring.submit(sample)
                self.tally.add(value)
            else:
                sample.discard() if alone else ring.discard(sample)
            del self.held[at]

    def drop(self, _: userrb.UserRingBuffer) -> None:
        if self.held:
            self.held.pop(self.random.randrange(len(self.held)))

    def batch(self, ring: userrb.UserRingBuffer) -> None:
        values = array.array("Q", (self.random.getrandbits(64) for _ in range(50)))
        count = ring.submit_many(values, timeout_ms=self.random.choice([0, 1]))
        for value in values[:count]:
            self.tally.add(value)

    def batch_of_sizes(self, ring: userrb.UserRingBuffer) -> None:
        records = [self.record() for _ in range(20)]
        offsets = array.array("q", [0])
        for _, data in records:
            offsets.append(offsets[-1] + len(data))
        count = ring.submit_many(b"".join(data for _, data in records), offsets=offsets)
        for value, _ in records[:count]:
            self.tally.add(value)

    def block(self, ring: userrb.UserRingBuffer) -> None:
        value, data = self.record()
        with ring.reserve(len(data)) as sample:
            sample[:] = data
            if self.random.random() < 0.3:
                raise Refused
        self.tally.add(value)

    def view(self, _: userrb.UserRingBuffer) -> None:
        if self.held:
            self.views.append(memoryview(self.random.choice(self.held)[1])[2:4])
        if self.views and self.random.random() < 0.7:
            self.views.pop(self.random.randrange(len(self.views))).release()

    def misuse(self, ring: userrb.UserRingBuffer) -> None:
        if not 0 <= ring.free <= ring.size:
            raise RuntimeError(f"{ring.free} bytes free")
        if self.held:
            owner, sample, _ = self.random.choice(self.held)
            for other in self.rings:
                if other is not owner:
                    with contextlib.suppress(userrb.Error):
                        other.submit(sample)
        sample = ring.reserve(8)
        ring.discard(sample)
        for again in (ring.submit, ring.discard, memoryview):
            with contextlib.suppress(userrb.Error):
                again(sample)
        ring.reserve(self.random.choice([1 << 20, 1 << 24, 1 << 40]))

    def tasks(self, ring: userrb.UserRingBuffer) -> None:
        async def write(value: int, data: bytes) -> None:
            await ring.write_async(data, timeout_ms=2)
            self.tally.add(value)  # no await since the write: counted even when cancelled

        async def batch(values: array.array[int]) -> None:
            sent = 0
            try:
                sent = await ring.submit_many_async(values, timeout_ms=2)
            except BaseException as error:
                sent = getattr(error, "submitted", 0)
                raise
            finally:
                for value in values[:sent]:
                    self.tally.add(value)

        async def main() -> None:
            tasks = [asyncio.create_task(write(*self.record())) for _ in range(3)]
            values = array.array("Q", (self.random.getrandbits(64) for _ in range(50)))
            tasks.append(asyncio.create_task(batch(values)))
            self.random.shuffle(tasks)
            await asyncio.sleep(self.random.choice([0, 0.001]))
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(main())

    def close(self, ring: userrb.UserRingBuffer) -> None:
        at = self.rings.index(ring)
        self.rings[at] = userrb.UserRingBuffer(self.bpf.maps["roomy"])
        ring.close()

    def fork(self, ring: userrb.UserRingBuffer) -> None:
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.produce_in_child(ring, into)
            finally:
                os._exit(1)
        os.close(into)
        answer = os.read(out, TALLY.size)
        os.close(out)
        status = os.waitpid(child, 0)[1]
        if status or len(answer) != TALLY.size:
            raise RuntimeError(f"the child ended with wait status {status}")
        self.tally.merge(Tally(*TALLY.unpack(answer)))

    def produce_in_child(self, ring: userrb.UserRingBuffer, into: int) -> None:
        faulthandler.dump_traceback_later(60, exit=True)
        self.tally = Tally()
        for _ in range(20):
            with contextlib.suppress(userrb.Error, BufferError, Refused):
                self.random.choice([self.write, self.batch, self.block, self.finish])(ring)
        self.views.clear()
        self.held.clear()
        os.write(into, TALLY.pack(self.tally.samples, self.tally.sum, self.tally.squares))
        os._exit(0)


def stress(path: str, calls: int, seed: int) -> tuple[Tally, Tally]:
    """Returns what was submitted and what was drained."""
    drained, submitted = Tally(), Tally()
    failures: list[BaseException] = []
    stop = threading.Event()
    with userrb.BpfObject(path) as bpf:
        rings = [userrb.UserRingBuffer(bpf.maps["roomy"]) for _ in range(3)]

        def drain() -> None:
            run = bpf.programs["drain_tally"].test_run(ctx=bytes(TALLY.size))
            drained.merge(Tally(*TALLY.unpack(run.ctx)))

        def drain_on() -> None:
            while not stop.wait(0.0005):
                drain()

        def produce(producer: Producer) -> None:
            try:
                producer.run(calls // THREADS)
            except BaseException as error:
                failures.append(error)

        producers = [Producer(bpf, rings, random.Random(seed + i)) for i in range(THREADS)]
        threads = [threading.Thread(target=produce, args=[producer]) for producer in producers]
        drainer = threading.Thread(target=drain_on)
        for thread in (*threads, drainer):
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        drainer.join()
        for producer in producers:
            producer.views.clear()
            producer.held.clear()
            submitted.merge(producer.tally)
        for ring in rings:
            ring.close()
        drain()
    if failures:
        raise failures[0]
    return submitted, drained


def main() -> int:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("object", help="tests/bpf/drain.bpf.c, compiled")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    faulthandler.enable()
    submitted, drained = stress(options.object, options.calls, options.seed)
    print(f"seed {options.seed}: submitted {submitted}, drained {drained}")
    return submitted != drained


if __name__ == "__main__":
    sys.exit(main())

"""A kernel ring buffer against a model: random calls lose, repeat and reorder nothing.

Run it alone for longer: python tests/test_consumer_fuzz.py OBJECT OPERATIONS SEED
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import userrb

NO_WAKEUP = 1


class Machine:
    """One ring, and what should be in it."""

    def __init__(self, path: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.bpf = userrb.BpfObject(path)
        self.ring = userrb.RingBuffer(self.bpf.maps["answers"])
        self.answer = self.bpf.structs["answer"]
        self.expected: deque[int] = deque()
        self.held: list[memoryview] = []
        self.unsure: list[int] = []  # taken last: consumed when the ring goes on
        self.next = 0
        self.loop = asyncio.new_event_loop()

    def fill(self) -> None:
        """Has the kernel submit some, of which it discards every so many-th."""
        count, every = self.random.randrange(60), self.random.choice((0, 0, 2, 3, 7))
        if (self.ring.size - self.ring.producer_position + self.ring.consumer_position) < 64 * 24:
            return
        flags = self.random.choice((0, NO_WAKEUP))
        order = struct.pack("=4I", self.next, count, every, flags)
        self.bpf.programs["fill"].test_run(ctx=order)
        sent = range(self.next, self.next + count)
        self.expected += [n for i, n in enumerate(sent) if not every or i % every != every - 1]
        self.next += count

    def went_on(self) -> None:
        """The ring has gone on: what was taken last is gone."""
        self.unsure.clear()

    def see(self, samples: list[memoryview], *, all_: bool = False) -> None:
        """Compares what came with what should have come."""
        ids = [self.answer.unpack(sample)["id"] for sample in samples]
        assert ids == [self.expected.popleft() for _ in ids]
        assert not (all_ and self.expected)

    def batch(self) -> None:
        """Takes all; perhaps keeps a view of the caller's own."""
        batch = self.ring.batch(self.random.choice((0, 0, 1)))
        self.went_on()
        self.see(list(batch), all_=True)
        self.unsure = [self.answer.unpack(sample)["id"] for sample in batch]
        if batch and self.random.random() < 0.2:
            self.held.append(batch[self.random.randrange(len(batch))][:8])

    def some(self) -> None:
        """Takes one after the other, and stops somewhere."""
        limit = self.random.randrange(1, 20)
        for sample in self.ring.samples(timeout_ms=0):
            self.went_on()
            self.see([sample])
            self.unsure = [self.answer.unpack(sample)["id"]]
            limit -= 1
            if not limit:
                break
        else:
            self.went_on()

    def poll(self) -> None:
        """Has a function called, which perhaps raises."""
        stop = self.random.randrange(30)

        def callback(sample: memoryview) -> None:
            nonlocal stop
            self.see([sample])
            stop -= 1
            if not stop:
                raise LookupError

        with contextlib.suppress(LookupError):
            self.ring.poll(callback, 0)
        self.went_on()

    def task(self) -> None:
        """Takes all in a task, or is cancelled."""

        async def run() -> None:
            task = asyncio.ensure_future(self.ring.batch_async(self.random.choice((0, 1, 5))))
            if not self.expected and self.random.random() < 0.5:
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    task.result()  # refused, or the time was over before
                self.went_on()
                return
            batch = await task
            self.went_on()
            self.see(list(batch), all_=True)
            self.unsure = [self.answer.unpack(sample)["id"] for sample in batch]

        self.loop.run_until_complete(run())

    def reopen(self) -> None:
        """Closes the ring, here or in another thread, and opens it again."""
        mine = self.random.random() < 0.5
        if mine:
            self.ring.close()
        else:
            closer = threading.Thread(target=self.ring.close)
            closer.start()
            closer.join()
        self.ring = userrb.RingBuffer(self.bpf.maps["answers"])
        if self.unsure and (self.held or not mine):
            self.expected.extendleft(reversed(self.unsure))  # they were not consumed
        self.went_on()
        self.held.clear()

    def step(self) -> None:
        """Makes one call; where a view is held, it may be refused, and then changes nothing."""
        calls: list[Callable[[], None]] = [self.batch, self.some, self.poll, self.task, self.reopen]
        call = self.random.choice([self.fill] * 5 + calls)
        if self.held and call not in (self.fill, self.reopen):
            position = self.ring.consumer_position
            try:
                call()
            except BufferError:
                assert self.ring.consumer_position == position
                self.held.clear()
            else:
                raise AssertionError("the ring went on under a view")
        else:
            call()


def run(path: Path, operations: int, seed: int) -> int:
    """Makes so many calls; returns how many samples there were."""
    machine = Machine(path, seed)
    for _ in range(operations):
        machine.step()
    machine.held.clear()
    machine.batch()
    machine.ring.close()
    machine.bpf.close()
    machine.loop.close()
    return machine.next


def test_random_calls_agree_with_the_model(compile_bpf: Callable[[str], Path]) -> None:
    """Every sample comes once and in order, whatever is called, closed, held or cancelled."""
    for seed in range(3):
        assert run(compile_bpf("answers"), 700, seed) > 1000


if __name__ == "__main__":
    path, operations, seed = sys.argv[1:]
    print(run(Path(path), int(operations), int(seed)), "samples, as the model says")

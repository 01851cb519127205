"""A ring of some size with its BPF programs, and the check that the kernel got what was claimed."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import userrb
from benchmarks.build import bpf_object

HEADER = 8


class Miscount(AssertionError):
    """The kernel did not drain what a round claimed to have sent: its figure would be void."""


class Rig:
    """A user ring buffer and the programs of samples.bpf.c. Use it as a context manager."""

    def __init__(self, ring_bytes: int) -> None:
        self.bytes = ring_bytes
        self.bpf = userrb.BpfObject(bpf_object(ring_bytes))
        self.ring = userrb.UserRingBuffer(self.bpf.maps["samples"])
        self.drained = 0

    def room(self, record_bytes: int) -> int:
        """Return how many samples of this size the empty ring holds."""
        return self.bytes // (HEADER + record_bytes)

    def fd(self, program: str = "") -> int:
        """Return the descriptor of a program, or the ring's without a name."""
        return self.bpf.programs[program].fileno() if program else self.ring.fileno()

    def check(self, count: int) -> None:
        """Drains, one record a sample, and compares with `count` samples of the values from 0 on.

        Raises:
            Miscount: There were more or fewer, or their values were others.
        """
        drained = 0
        # One drain takes 131072 samples at most.
        while now := self.bpf.programs["drain"].test_run().retval:
            drained += now
        self.check_sum(drained, count)

    def check_sum(self, drained: int, count: int) -> None:
        """Compare what was drained, and its sum, with `count` samples of the values from 0 on.

        Raises:
            Miscount: As for `check`.
        """
        total = self.bpf.programs["take_sum"].test_run().retval % (1 << 32)
        if drained != count or total != count * (count - 1) // 2 % (1 << 32):
            raise Miscount(f"{count} samples were sent, the kernel read {drained}, sum {total}")
        self.drained += drained

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ring.close()
        self.bpf.close()

"""How long to measure."""

from __future__ import annotations

from dataclasses import dataclass

MAIN_RING = 256 * 1024


@dataclass(frozen=True)
class Effort:
    """Rounds of each kind.

    Attributes:
        rounds: Of the costs and of the way to the kernel.
        rings: Sizes of ring, in bytes, at which batches are measured again.
        wakes: Waits that a drain ends.
        waits: Waits whose use of the processor is measured.
        wait_ms: How long each of those is.
        interrupts: Waits that SIGINT ends.
        samples: Samples after which memory is looked at.
    """

    rounds: int = 100
    rings: tuple[int, ...] = (64 << 10, 1 << 20, 4 << 20, 16 << 20)
    wakes: int = 600
    waits: int = 5
    wait_ms: int = 1000
    interrupts: int = 8
    samples: int = 1_000_000

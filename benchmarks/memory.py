"""How much a process has grown after a million samples. Run as a module, it is that process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path

from benchmarks import loops
from benchmarks.build import ROOT
from benchmarks.effort import MAIN_RING, Effort
from benchmarks.figures import Figure, Spread
from benchmarks.rig import Rig

GROUP = "Memory"
RECORD = bytes(8)
WORDS = {
    "write": "Growth of the process by {} samples of `write`",
    "with": "Growth by {} samples of `with reserve(8)`",
    "submit_many": "Growth by {} samples of `submit_many`",
}


def resident_kib() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") // 1024


def growth(samples: int) -> dict[str, int]:
    """Produce in each way; return by how many KiB this process has grown."""
    with Rig(MAIN_RING) as rig:
        ringful = rig.room(len(RECORD))
        records = [RECORD] * ringful
        batch = [memoryview(array("Q", bytes(len(RECORD) * ringful)))]
        ways: dict[str, Callable[[], None]] = {
            "write": lambda: loops.write(rig.ring, records),
            "with": lambda: loops.with_form(rig.ring, records),
            "submit_many": lambda: loops.batches(rig.ring, batch),
        }
        drain = rig.bpf.programs["drain"]

        def produce(way: Callable[[], None], rounds: int) -> None:
            for _ in range(rounds):
                way()
                if drain.test_run().retval != ringful:
                    raise loops.Short("the drain")

        grown = {}
        for key, way in ways.items():
            produce(way, 2)  # what a first use loads is not growth
            before = resident_kib()
            produce(way, -(-samples // ringful))
            grown[key] = resident_kib() - before
        return grown


def measure(effort: Effort) -> list[Figure]:
    """Measures three processes, new ones each."""
    command = [sys.executable, "-m", "benchmarks.memory", str(effort.samples)]
    runs: list[dict[str, int]] = [
        json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)
        for _ in range(3)
    ]
    return [
        Figure(
            f"memory_{key}",
            GROUP,
            words.format(effort.samples),
            "KiB",
            Spread.of([run[key] for run in runs]),
        )
        for key, words in WORDS.items()
    ]


if __name__ == "__main__":
    print(json.dumps(growth(int(sys.argv[1]))))

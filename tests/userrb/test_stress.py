"""Random calls and sudden deaths: nothing crashes, nothing is lost, nothing comes twice."""

from __future__ import annotations

import array
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import userrb


@pytest.mark.parametrize("seed", [1, None], ids=["the same calls", "new calls"])
def test_random_calls_lose_nothing(compile_bpf: Callable[[str], Path], seed: int | None) -> None:
    """Threads, tasks and forked children make random calls; the kernel gets what they submitted.

    `make stress` does the same a million times, and under AddressSanitizer.
    """
    number = str(random.randrange(1 << 32) if seed is None else seed)
    program = [sys.executable, str(Path(__file__).with_name("stress.py"))]
    arguments = [str(compile_bpf("drain")), "--calls", "40000", "--seed", number]
    done = subprocess.run(
        [*program, *arguments], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"seed {number}\n{done.stdout}{done.stderr}"


def test_a_killed_child_does_not_hold_the_lock(bpf: userrb.BpfObject) -> None:
    """A child that is killed in the middle of a batch leaves the ring usable for the parent."""
    drain = bpf.programs["drain_roomy"].test_run
    records = array.array("Q", range(1000))
    with userrb.UserRingBuffer(bpf.maps["roomy"]) as ring:
        for delay in range(40):
            child = os.fork()
            if child == 0:
                while True:
                    ring.submit_many(records)
            time.sleep(0.002 + delay / 10000)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            while drain().retval:
                pass
            ring.write(bytes(8), timeout_ms=1000)
            assert drain().retval == 1


def test_a_million_samples_leave_the_process_no_larger(bpf: userrb.BpfObject) -> None:
    """Writing, reserving and batching leak nothing."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    drain = bpf.programs["drain_roomy"].test_run
    records = array.array("Q", range(10000))

    def write(rounds: int) -> None:
        for _ in range(rounds):
            for _ in range(5000):
                ring.write(b"12345678")
            for _ in range(5000):
                with ring.reserve(8) as sample:
                    sample[:] = b"12345678"
            assert ring.submit_many(records) == 10000
            assert drain().retval == 20000

    with userrb.UserRingBuffer(bpf.maps["roomy"]) as ring:
        write(5)
        before = resident()
        write(50)
        assert resident() - before < 256 * 1024

"""`python -m userrb positions`: a map that a killed process has blocked, and its way out."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb

Drain = Callable[[], int]


def positions(map_: str, *options: str, answers: str = "") -> str:
    """Run the command as a user does, with answers to what it asks."""
    command = [sys.executable, "-m", "userrb", "positions", map_, *options]
    return subprocess.run(command, input=answers, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def pinned(bpf: userrb.BpfObject) -> Iterator[str]:
    """Pin the map of the ring."""
    path = Path("/sys/fs/bpf") / f"userrb-test-{os.getpid()}"
    bpf.maps["samples"].pin(path)
    yield str(path)
    path.unlink()


def leave_reserved(ring: userrb.UserRingBuffer, *sizes: int) -> int:
    """Let a child that is killed reserve samples; return its id."""
    child = os.fork()
    if child == 0:
        kept = [ring.reserve(size) for size in sizes]
        os.kill(os.getpid(), signal.SIGKILL)
        del kept
    os.waitpid(child, 0)
    return child


def test_what_a_killed_process_left_is_discarded_after_asking(
    ring: userrb.UserRingBuffer, drain: Drain, pinned: str
) -> None:
    """The command names the process, stops at a no, and a yes lets the drain go on."""
    ring.write(bytes(8))
    child = leave_reserved(ring, 100, 8)
    ring.write(bytes(8))
    assert drain() == 1
    assert drain() == 0
    shown = positions(pinned)
    assert shown.splitlines() == [
        f"4096 bytes, {ring.free} free: drained to 16, reserved to 160",
        f"at 16: 100 bytes, reserved by process {child}, which is gone",
        f"at 128: 8 bytes, reserved by process {child}, which is gone",
    ]
    assert "discarded" not in positions(pinned, "--discard", answers="n\n")
    assert positions(pinned, "--discard", answers="y\nno\n").count("discarded") == 1
    assert positions(pinned, "--discard", "--yes").count("discarded") == 1
    assert "nothing blocks the map" in positions(pinned)
    assert drain() == 1
    assert ring.free == ring.size


def test_what_a_process_that_runs_has_reserved_stays(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, drain: Drain, pinned: str
) -> None:
    """No answer discards a sample that somebody may still submit."""
    sample = ring.reserve(8)
    shown = positions(pinned, "--discard", "--yes", answers="y\n")
    assert re.search(rf"reserved by process {os.getpid()} \(.*\), which runs\n  kept", shown)
    sample.submit()
    assert drain() == 1


def test_a_sample_without_a_name_is_discarded_only_when_asked(
    ring: userrb.UserRingBuffer,
    drain: Drain,
    pinned: str,
    handle: ctypes.c_void_p,
    libbpf: ctypes.CDLL,
) -> None:
    """A producer on libbpf is unknown; --yes does not answer whether it is gone."""
    libbpf.user_ring_buffer__reserve(handle, 8)
    shown = positions(pinned, "--discard", "--yes")
    assert "an unknown process" in shown
    assert "sure that this process is gone?" in shown
    assert drain() == 0
    assert "discarded" in positions(pinned, "--discard", answers="y\n")
    ring.write(bytes(8))
    assert drain() == 1


def test_a_sample_is_found_around_the_end_of_the_ring(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """A map is found by its id, and a sample that begins in front of the end behind it."""
    ring.write(bytes(4000))
    assert drain() == 1
    child = leave_reserved(ring, 200)
    fdinfo = Path(f"/proc/self/fdinfo/{ring.fileno()}").read_text()
    number = re.search(r"map_id:\s+(\d+)", fdinfo)
    assert number
    shown = positions(number[1], "--discard", "--yes")
    assert f"at 4008: 200 bytes, reserved by process {child}, which is gone" in shown
    ring.write(bytes(8))
    assert drain() == 1


def test_a_header_that_makes_no_sense_is_an_error(ring: userrb.UserRingBuffer, pinned: str) -> None:
    """What is no sample is not discarded; the command says where it stands."""
    ring.write(bytes(8))
    with mmap.mmap(ring.fileno(), 2 * mmap.PAGESIZE, offset=mmap.PAGESIZE) as page:
        struct.pack_into("=I", page, mmap.PAGESIZE, 4000)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        positions(pinned, "--discard", "--yes")
    assert caught.value.stderr.startswith("userrb positions: the header at 0 is invalid")


def test_a_map_that_is_not_there_is_an_error() -> None:
    """The command says so in one line."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        positions("/sys/fs/bpf/nothing")
    assert re.fullmatch("userrb positions: .*nothing.*\n", caught.value.stderr)

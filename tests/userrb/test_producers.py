"""Producers that know nothing of each other, and producers that stop or die with the lock."""

from __future__ import annotations

import copy
import mmap
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess, SpawnProcess
from pathlib import Path

import pytest

import userrb
from tests.userrb.soonest import soonest

FULL = 1016


def owner(ring: userrb.UserRingBuffer) -> int:
    """Reads who holds the lock of a map."""
    with mmap.mmap(ring.fileno(), mmap.PAGESIZE, offset=mmap.PAGESIZE) as page:
        return int(struct.unpack_from("=I", page, 2052)[0])


@contextmanager
def stopped_with_the_lock(ring: userrb.UserRingBuffer) -> Iterator[int]:
    """A relative that is stopped (SIGSTOP) in a large batch, where it holds the lock."""
    records = bytes(ring.size // 16 * 8)
    child = os.fork()
    if child == 0:
        while True:
            # As much as the ring holds: the lock is kept the longest.
            ring.submit_many(records, size=8)
    try:
        while True:
            os.kill(child, signal.SIGSTOP)
            os.waitpid(child, os.WUNTRACED)
            if owner(ring) == child:
                break
            os.kill(child, signal.SIGCONT)
            time.sleep(0.0001)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.fixture
def roomy(bpf: userrb.BpfObject) -> Iterator[userrb.UserRingBuffer]:
    """A ring of 1 MiB that a thread drains all the time."""
    done = threading.Event()

    def drain() -> None:
        while not done.is_set():
            bpf.programs["drain_roomy"].test_run()

    thread = threading.Thread(target=drain)
    thread.start()
    with userrb.UserRingBuffer(bpf.maps["roomy"]) as ring:
        yield ring
        done.set()
        thread.join()


PRODUCE = """
import array, sys, userrb
fd, number, count = map(int, sys.argv[1:])
with userrb.UserRingBuffer(fd) as ring:
    left = iter(range(count))
    for i in left:
        value = (number << 32) + i
        if i % 100 == 50:
            batch = array.array("Q", [value, *((number << 32) + j for _, j in zip(range(9), left))])
            assert ring.submit_many(batch, timeout_ms=-1) == len(batch)
        elif i % 2:
            ring.write(value.to_bytes(8, "little"), timeout_ms=-1)
        else:
            with ring.reserve_blocking(8) as sample:
                sample[:] = value.to_bytes(8, "little")
"""
"""A producer of its own, which writes its number and a count, in every way."""


def test_unrelated_processes_lose_nothing(compile_bpf: Callable[[str], Path]) -> None:
    """Eight processes that opened a map apart: every sample arrives once, in each one's order."""
    processes, each = 8, 20_000
    with userrb.BpfObject(compile_bpf("ordered")) as bpf:
        fd = bpf.maps["samples"].fileno()
        children = [
            subprocess.Popen(
                [sys.executable, "-c", PRODUCE, str(fd), str(number), str(each)], pass_fds=[fd]
            )
            for number in range(processes)
        ]
        drained = 0
        while any(child.poll() is None for child in children):
            drained += bpf.programs["drain"].test_run().retval
        drained += bpf.programs["drain"].test_run().retval
        assert [child.returncode for child in children] == [0] * processes
        counts = [bpf.maps["next"].lookup(struct.pack("=I", n)) for n in range(processes)]
        assert counts == [struct.pack("=Q", each)] * processes
        wrong = bpf.maps["wrong"].lookup(struct.pack("=I", 0))
    assert drained == processes * each
    assert wrong == bytes(8)


def test_a_stopped_relative_delays_no_call_for_long(roomy: userrb.UserRingBuffer) -> None:
    """Where another process keeps the lock, each call ends soon after its timeout."""
    calls: list[tuple[float, Callable[[], object]]] = [
        (0, lambda: roomy.write(b"1")),
        (0, lambda: roomy.reserve(8)),
        (0.2, lambda: roomy.write(b"1", 200)),
        (0.2, lambda: roomy.reserve_blocking(8, 200)),
    ]
    with stopped_with_the_lock(roomy):
        for timeout, call in calls:

            def late(timeout: float = timeout, call: Callable[[], object] = call) -> float:
                start = time.monotonic()
                with pytest.raises(userrb.RingFull) as caught:
                    call()
                assert isinstance(caught.value, TimeoutError) == (timeout > 0)
                return time.monotonic() - start - timeout

            assert 0 <= soonest(late, 0.05) < 0.05
        assert roomy.submit_many(bytes(8), size=8) == 0
        assert roomy.submit_many(bytes(1 << 16), size=8) == 0
    roomy.write(b"1", timeout_ms=1000)


def test_signals_are_heard_while_another_process_keeps_the_lock(
    roomy: userrb.UserRingBuffer,
) -> None:
    """A wait for the lock runs handlers, goes on for the time left, and ends on Ctrl-C."""
    ran: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: ran.append(number))
    try:
        with stopped_with_the_lock(roomy):
            timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1])
            timer.start()
            with pytest.raises(userrb.RingTimeout):
                roomy.write(b"1", timeout_ms=300)
            timer.join()
            assert ran == [signal.SIGUSR1]
            timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                roomy.write(b"1", timeout_ms=-1)
            timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_needs_no_lock_does_not_wait_for_it(roomy: userrb.UserRingBuffer) -> None:
    """Samples end, and the ring closes, whoever has the lock."""
    kept, dropped, left = (roomy.reserve(8) for _ in range(3))
    with stopped_with_the_lock(roomy):
        roomy.submit(kept)
        del dropped
        waiting = threading.Thread(target=wait_for_close, args=[roomy])
        waiting.start()
        roomy.close()
        waiting.join(10)
        assert not waiting.is_alive()
    assert left.state == "discarded"


def wait_for_close(ring: userrb.UserRingBuffer) -> None:
    """Waits for the lock until the ring is closed."""
    with pytest.raises(userrb.RingClosed):
        ring.write(b"1", timeout_ms=-1)


def test_who_is_killed_with_the_lock_leaves_it(roomy: userrb.UserRingBuffer) -> None:
    """The kernel hands the lock on, whenever its owner dies."""
    for _ in range(20):
        with stopped_with_the_lock(roomy) as child:
            assert owner(roomy) == child
        roomy.write(b"1", timeout_ms=1000)


def test_something_else_in_the_page_is_refused(bpf: userrb.BpfObject) -> None:
    """Where another library keeps something in the place of the lock, the ring does not open."""
    fd = bpf.maps["samples"].fileno()
    with mmap.mmap(fd, mmap.PAGESIZE, offset=mmap.PAGESIZE) as page:
        struct.pack_into("=I", page, 2048, 1)
        with pytest.raises(userrb.BpfError, match="something else"):
            userrb.UserRingBuffer(fd)
        struct.pack_into("=I", page, 2048, 0)
    userrb.UserRingBuffer(fd).close()


def produce(ring: userrb.UserRingBuffer, count: int) -> None:
    """Write some samples, and one that is reserved."""
    for _ in range(count):
        ring.write(bytes(8))
    ring.reserve(8).submit()


@pytest.mark.parametrize("method", [SpawnProcess, ForkServerProcess])
def test_a_ring_is_an_argument_of_a_process(
    bpf: userrb.BpfObject,
    ring: userrb.UserRingBuffer,
    method: type[SpawnProcess | ForkServerProcess],
) -> None:
    """A process that multiprocessing starts gets a ring of its own on the same map."""
    process = method(target=produce, args=(ring, 3))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert bpf.programs["drain"].test_run().retval == 4


def test_a_ring_is_not_copied(ring: userrb.UserRingBuffer) -> None:
    """Where no process is started, neither pickle nor copy make a second ring."""
    for call in (lambda: pickle.dumps(ring), lambda: copy.copy(ring)):
        with pytest.raises(TypeError, match="only be handed to a process"):
            call()

"""Signals while blocked, sizes that would wedge the ring."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import userrb
from tests.userrb.soonest import soonest

FULL = 1016


@contextmanager
def signals(number: signal.Signals, *after: float) -> Iterator[None]:
    """Sends this process a signal after each of these many seconds."""
    timers = [threading.Timer(seconds, os.kill, [os.getpid(), number]) for seconds in after]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.join()


@pytest.mark.parametrize("filled", [4, 3], ids=["full", "partly full"])
def test_ctrl_c_ends_a_wait_at_once(ring: userrb.UserRingBuffer, filled: int) -> None:
    """F3: KeyboardInterrupt comes within 50 ms of the signal."""
    for _ in range(filled):
        ring.write(bytes(FULL))

    def late() -> float:
        start = time.monotonic()
        with signals(signal.SIGINT, 0.2), pytest.raises(KeyboardInterrupt):
            ring.reserve_blocking(FULL + 1)
        return time.monotonic() - start - 0.2

    assert 0 <= soonest(late, 0.05) < 0.05


@pytest.mark.parametrize("filled", [4, 3], ids=["full", "partly full"])
def test_other_handlers_run_and_the_wait_goes_on(ring: userrb.UserRingBuffer, filled: int) -> None:
    """PEP 475: a handler that returns is run in time, and the rest of the timeout is waited."""
    for _ in range(filled):
        ring.write(bytes(FULL))
    ran: list[float] = []

    def late() -> float:
        ran.clear()
        start = time.monotonic()
        with signals(signal.SIGUSR1, 0.1, 0.2), pytest.raises(userrb.RingFull):
            ring.reserve_blocking(FULL + 1, timeout_ms=400)
        ends = [*ran, time.monotonic()]
        if len(ends) < 3:  # the second signal came before the first was heard
            return float("inf")
        later = [at - start - due for at, due in zip(ends, (0.1, 0.2, 0.4), strict=True)]
        assert min(later) >= 0
        return max(later)

    before = signal.signal(signal.SIGUSR1, lambda *_: ran.append(time.monotonic()))
    try:
        assert soonest(late, 0.1) < 0.1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_batch_that_waits_can_be_interrupted(ring: userrb.UserRingBuffer) -> None:
    """submit_many and write wait as reserve_blocking does."""
    for call in (
        lambda: ring.submit_many(bytes(8 * 300), 8, -1),
        lambda: ring.write(bytes(8), -1),
    ):
        with signals(signal.SIGINT, 0.1), pytest.raises(KeyboardInterrupt) as caught:
            call()
    assert not hasattr(caught.value, "submitted")


def test_an_interrupted_batch_tells_how_far_it_came(ring: userrb.UserRingBuffer) -> None:
    """The exception that ends the wait carries how many records are in the ring."""
    with signals(signal.SIGINT, 0.1), pytest.raises(KeyboardInterrupt) as caught:
        ring.submit_many(bytes(8 * 300), 8, -1)
    assert getattr(caught.value, "submitted", None) == 256


def test_other_threads_run_while_one_waits(ring: userrb.UserRingBuffer) -> None:
    """The GIL is released: another thread counts on while this one is blocked."""
    for _ in range(4):
        ring.write(bytes(FULL))
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    with pytest.raises(userrb.RingFull):
        ring.reserve_blocking(8, timeout_ms=200)
    done.set()
    thread.join()
    assert counted > 10000


def test_what_the_kernel_could_never_drain_is_refused(
    compile_bpf: Callable[[str], Path],
) -> None:
    """F6: 2^24 - 1 bytes go through, 2^24 are refused before they reach the ring."""
    with (
        userrb.BpfObject(compile_bpf("large")) as bpf,
        userrb.UserRingBuffer(bpf.maps["samples"]) as ring,
    ):
        for call in (
            lambda: ring.reserve(1 << 24),
            lambda: ring.write(bytes(1 << 24)),
            lambda: ring.submit_many(bytes(1 << 24), 1 << 24),
        ):
            with pytest.raises(userrb.SampleTooLarge, match="16777215"):
                call()
        ring.write(bytes((1 << 24) - 1))
        ring.write(bytes(8))
        assert bpf.programs["drain"].test_run().retval == 2


def test_ctrl_c_ends_a_program(compile_bpf: Callable[[str], Path]) -> None:
    """A program blocked for ever dies of SIGINT as any Python program does."""
    program = (
        "import sys, userrb\n"
        "bpf = userrb.BpfObject(sys.argv[1])\n"
        "ring = userrb.UserRingBuffer(bpf.maps['samples'])\n"
        "ring.write(bytes(4088))\n"
        "print('blocked', flush=True)\n"
        "ring.reserve_blocking(8)\n"
    )
    command = [sys.executable, "-c", program, str(compile_bpf("drain"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"blocked\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in child.communicate(timeout=5)[1]
        assert child.returncode == -signal.SIGINT


def test_a_wait_sleeps_after_a_forked_child_has_closed_its_ring(
    ring: userrb.UserRingBuffer,
) -> None:
    """What wakes the waiters of a ring is shared across fork, and read by nobody."""
    for _ in range(4):
        ring.write(bytes(FULL))
    child = os.fork()
    if child == 0:
        ring.close()
        os._exit(0)
    os.waitpid(child, 0)
    cpu = time.thread_time()
    with pytest.raises(userrb.RingFull):
        ring.reserve_blocking(8, timeout_ms=300)
    assert time.thread_time() - cpu < 0.03


def test_a_fork_in_a_handler_is_noticed_after_the_wait(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """The child goes on waiting with a state of its own, and leaves the parent's sample alone."""
    held = ring.reserve(8)
    ring.write(bytes(ring.size - 24))
    parent, children = os.getpid(), list[int]()
    before = signal.signal(signal.SIGUSR1, lambda *_: children.append(os.fork()))
    status = 1
    try:
        with signals(signal.SIGUSR1, 0.1):
            with pytest.raises(userrb.RingFull):
                ring.reserve_blocking(8, timeout_ms=300)
            if os.getpid() != parent:
                ring.close()
                status = 0
                os._exit(0)
    finally:
        if os.getpid() != parent:
            os._exit(status)
        signal.signal(signal.SIGUSR1, before)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    ring.submit(held)
    assert bpf.programs["drain"].test_run().retval == 2


def test_what_a_child_reserves_after_a_fork_in_a_handler_is_its_own(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """A retry that succeeds in the child gives it a sample, and none of its parent's."""
    ring.write(bytes(ring.size - 24))
    held = ring.reserve(8)
    parent = os.getpid()

    def fork(*_: object) -> None:
        if os.fork() == 0:
            bpf.programs["drain"].test_run()
        else:
            os.wait()

    before = signal.signal(signal.SIGUSR1, fork)
    try:
        with signals(signal.SIGUSR1, 0.1):
            ring.submit(ring.reserve_blocking(8, timeout_ms=5000))
            if os.getpid() != parent:
                ring.close()
    finally:
        if os.getpid() != parent:
            os._exit(0)
        signal.signal(signal.SIGUSR1, before)
    assert bpf.programs["drain"].test_run().retval == 0  # held, which nobody has discarded
    ring.submit(held)
    assert bpf.programs["drain"].test_run().retval == 3


def test_a_timeout_is_pythons_too(ring: userrb.UserRingBuffer) -> None:
    """No room within a timeout is a TimeoutError; no room without one is none."""
    ring.write(bytes(ring.size - 8))
    with pytest.raises(TimeoutError, match="within 1 ms") as caught:
        ring.write(b"", timeout_ms=1)
    assert isinstance(caught.value, userrb.RingTimeout)
    with pytest.raises(userrb.RingFull) as refused:
        ring.write(b"", timeout_ms=0)
    assert not isinstance(refused.value, TimeoutError)

"""What the page of user_ring_buffer__reserve_blocking says of libbpf's own function."""

from __future__ import annotations

import ctypes
import errno
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb
from tests.userrb.rig import BPF

FULL = 1016

Reserve = Callable[[int, int], tuple[int | None, int]]


@pytest.fixture
def reserve(libbpf: ctypes.CDLL, handle: ctypes.c_void_p) -> Reserve:
    """Calls reserve_blocking; returns the address or None, and errno."""

    def call(size: int, timeout_ms: int) -> tuple[int | None, int]:
        ctypes.set_errno(0)
        sample = libbpf.user_ring_buffer__reserve_blocking(handle, size, timeout_ms)
        return sample, ctypes.get_errno()

    return call


def submit(libbpf: ctypes.CDLL, handle: ctypes.c_void_p, size: int) -> None:
    """Reserves and submits, through libbpf."""
    sample = libbpf.user_ring_buffer__reserve(handle, size)
    libbpf.user_ring_buffer__submit(handle, ctypes.c_void_p(sample))


@pytest.fixture
def full(libbpf: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
    """Fills the ring to the last byte."""
    for _ in range(4):
        submit(libbpf, handle, FULL)


@pytest.fixture
def partly_full(libbpf: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
    """Leaves room for exactly one sample of 1016 bytes."""
    for _ in range(3):
        submit(libbpf, handle, FULL)


def test_the_address_is_aligned_and_zero_bytes_are_valid(reserve: Reserve) -> None:
    """Samples begin at multiples of 8; a size of 0 is a sample too."""
    for size in (0, 1, 9):
        sample, _ = reserve(size, 0)
        assert sample
        assert sample % 8 == 0


def test_the_bytes_are_not_zeroed(
    bpf: userrb.BpfObject, reserve: Reserve, libbpf: ctypes.CDLL, handle: ctypes.c_void_p
) -> None:
    """A sample's memory holds what an earlier sample left there."""
    for _ in range(2):
        sample, _ = reserve(4088, 0)
        assert sample
        last = ctypes.string_at(sample, 8)
        ctypes.memmove(sample, b"earlier!", 8)
        libbpf.user_ring_buffer__submit(handle, ctypes.c_void_p(sample))
        bpf.programs["drain"].test_run()
    assert last == b"earlier!"


@pytest.mark.row("user_ring_buffer__reserve_blocking", "larger than the whole ring")
def test_e2big_counts_the_header(reserve: Reserve) -> None:
    """F5: 4088 bytes fit a ring of 4096, 4089 are E2BIG at once, even without end of patience."""
    assert reserve(4089, -1) == (None, errno.E2BIG)
    assert reserve(4088, -1)[0]


@pytest.mark.parametrize("timeout_ms", [-2, -1000])
@pytest.mark.row("user_ring_buffer__reserve_blocking", "less than `-1`")
def test_a_timeout_below_minus_one_is_einval(reserve: Reserve, timeout_ms: int) -> None:
    """EINVAL comes at once, although there is room."""
    assert reserve(8, timeout_ms) == (None, errno.EINVAL)


@pytest.mark.usefixtures("full")
@pytest.mark.row("user_ring_buffer__reserve_blocking", "within `timeout_ms`")
def test_a_full_ring_is_enospc_after_the_timeout(reserve: Reserve) -> None:
    """ENOSPC comes when the time is over, and the wait sleeps."""
    start, cpu = time.monotonic(), time.thread_time()
    assert reserve(8, 300) == (None, errno.ENOSPC)
    assert 0.3 <= time.monotonic() - start < 0.6
    assert time.thread_time() - cpu < 0.03


@pytest.mark.usefixtures("partly_full")
def test_a_partly_full_ring_spins(reserve: Reserve) -> None:
    """F1: with some room, but too little, the same wait takes the processor."""
    cpu = time.thread_time()
    assert reserve(FULL + 1, 1000) == (None, errno.ENOSPC)
    # All of a second on an idle machine; a wait that sleeps takes a thousandth of this.
    assert time.thread_time() - cpu > 0.05


@pytest.mark.usefixtures("partly_full")
def test_minus_one_does_not_wait_on_a_partly_full_ring(reserve: Reserve) -> None:
    """With -1 the call gives up after one wakeup, and a ring with some room is one at once."""
    start = time.monotonic()
    assert reserve(FULL + 1, -1) == (None, errno.ENOSPC)
    assert time.monotonic() - start < 0.5


@pytest.mark.usefixtures("full")
@pytest.mark.row("user_ring_buffer__reserve_blocking", "`timeout_ms` is `-1`")
def test_minus_one_ends_with_a_drain_that_makes_too_little_room(
    bpf: userrb.BpfObject, libbpf: ctypes.CDLL, handle: ctypes.c_void_p, reserve: Reserve
) -> None:
    """With -1 the call returns ENOSPC after a drain whose room does not do."""
    bpf.programs["drain"].test_run()
    submit(libbpf, handle, FULL)
    assert libbpf.user_ring_buffer__reserve(handle, 3064)  # the rest; stays reserved
    timer = threading.Timer(0.1, bpf.programs["drain"].test_run)
    start = time.monotonic()
    timer.start()
    assert reserve(FULL + 1, -1) == (None, errno.ENOSPC)
    assert 0.1 <= time.monotonic() - start < 1
    timer.join()


@pytest.fixture(params=[False, True], ids=["no restart", "SA_RESTART"])
def alarm(request: pytest.FixtureRequest) -> Iterator[None]:
    """A signal handler runs after 0.2 s."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, not request.param)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("full", "alarm")
@pytest.mark.row("user_ring_buffer__reserve_blocking", "A signal handler ran")
def test_a_signal_ends_the_wait_on_a_full_ring(reserve: Reserve) -> None:
    """F3: EINTR, with and without SA_RESTART."""
    start = time.monotonic()
    assert reserve(8, 2000) == (None, errno.EINTR)
    assert time.monotonic() - start < 1


@pytest.mark.usefixtures("partly_full", "alarm")
def test_a_signal_does_not_end_the_spinning(reserve: Reserve) -> None:
    """F3: on a partly full ring the call goes on until its time is over."""
    start = time.monotonic()
    assert reserve(FULL + 1, 600) == (None, errno.ENOSPC)
    assert time.monotonic() - start >= 0.6


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    ("program", "least", "most"),
    [("drain", 0.1, 0.5), ("drain_force_wakeup", 0.1, 0.5), ("drain_no_wakeup", 1.0, 1.5)],
)
def test_the_flag_of_the_drain_decides_when_the_wait_ends(
    bpf: userrb.BpfObject, reserve: Reserve, program: str, least: float, most: float
) -> None:
    """F4: after BPF_RB_NO_WAKEUP the sample comes only when the time is over."""
    timer = threading.Timer(0.1, bpf.programs[program].test_run)
    start = time.monotonic()
    timer.start()
    sample, _ = reserve(8, 1000)
    assert least <= time.monotonic() - start < most
    assert sample
    timer.join()


@pytest.mark.usefixtures("partly_full")
def test_force_wakeup_wakes_without_a_sample(
    bpf: userrb.BpfObject, libbpf: ctypes.CDLL, handle: ctypes.c_void_p
) -> None:
    """Only BPF_RB_FORCE_WAKEUP wakes a waiter if the drain took nothing; seen edge-triggered."""
    bpf.programs["drain"].test_run()
    assert libbpf.user_ring_buffer__reserve(handle, 8)  # stays at the head: nothing is drained
    with select.epoll() as epoll:
        epoll.register(bpf.maps["samples"].fileno(), select.EPOLLOUT | select.EPOLLET)
        assert epoll.poll(1)
        bpf.programs["drain"].test_run()
        assert not epoll.poll(0.2)
        bpf.programs["drain_force_wakeup"].test_run()
        assert epoll.poll(1)


def test_without_a_lock_samples_are_lost(compile_bpf: Callable[[str], Path]) -> None:
    """F10: two threads that reserve at once lose samples, and no call fails."""
    target = compile_bpf("drain")
    source = BPF / "race.c"
    program = target.with_name("race")
    build = ["cc", "-O2", "-Wall", "-Werror", str(source), "-o", str(program), "-lbpf", "-pthread"]
    subprocess.run(build, check=True)
    run = [str(program), str(target)]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    delivered, of, submitted = done.stdout.split()
    assert of == "of"
    assert int(delivered) < int(submitted)

"""What the page of the pitfalls says and its examples do not show."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import userrb
from tests.userrb.rig import ROOT, bpf_cc

pytestmark = pytest.mark.kernel

MOST = 131_072
FULL = 1016


@pytest.fixture(scope="module")
def libbpf() -> ctypes.CDLL:
    """Libbpf itself, without userrb in between."""
    lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    for name in ("new", "reserve", "reserve_blocking"):
        getattr(lib, f"user_ring_buffer__{name}").restype = ctypes.c_void_p
    return lib


@pytest.fixture
def handle(libbpf: ctypes.CDLL, bpf: userrb.BpfObject) -> Iterator[ctypes.c_void_p]:
    """Libbpf's own handle of the ring of 4096 bytes."""
    opened = ctypes.c_void_p(libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None))
    yield opened
    libbpf.user_ring_buffer__free(opened)


@pytest.fixture
def large(compile_bpf: Callable[[str], Path]) -> Iterator[userrb.BpfObject]:
    """A ring of 4 MiB."""
    with userrb.BpfObject(compile_bpf("pitfalls")) as loaded:
        yield loaded


@pytest.fixture
def epoll(bpf: userrb.BpfObject) -> Iterator[select.epoll]:
    """An edge-triggered wait on the map."""
    with select.epoll() as opened:
        opened.register(bpf.maps["samples"].fileno(), select.EPOLLOUT | select.EPOLLET)
        yield opened


def fill(ring: userrb.UserRingBuffer, samples: int = 4) -> None:
    """Fills the ring, or leaves some room."""
    for _ in range(samples):
        ring.write(bytes(FULL))


def test_edges_come_once_and_none_is_lost(
    ring: userrb.UserRingBuffer, drain: Callable[[], int], epoll: select.epoll
) -> None:
    """F2: one report when it is added, then one for every drain that took something."""
    fill(ring, 3)
    assert epoll.poll(1)
    assert not epoll.poll(0.05)
    for _ in range(1000):
        assert drain()
        assert epoll.poll(1)
        assert not epoll.poll(0)
        fill(ring, 3)


def test_a_full_ring_reports_nothing_when_it_is_added(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """F2: the report at the beginning comes only if the ring is not full."""
    fill(ring)
    with select.epoll() as epoll:
        epoll.register(bpf.maps["samples"].fileno(), select.EPOLLOUT | select.EPOLLET)
        assert not epoll.poll(0.05)


def test_a_drain_wakes_one_of_those_that_share_an_epoll_descriptor(
    ring: userrb.UserRingBuffer, drain: Callable[[], int], epoll: select.epoll
) -> None:
    """F2: hence one epoll descriptor for each waiting thread."""
    fill(ring, 3)
    assert epoll.poll(1)
    with ThreadPoolExecutor(2) as pool:
        polls = [pool.submit(epoll.poll, 1) for _ in range(2)]
        time.sleep(0.3)
        drain()
        assert sorted(len(poll.result()) for poll in polls) == [0, 1]


def test_an_edge_triggered_wait_is_ended_by_a_signal(epoll: select.epoll) -> None:
    """F3: epoll_wait itself returns EINTR; Python hides that unless the handler raises."""

    def stop(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        assert epoll.poll(1)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(InterruptedError):
            epoll.poll(10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_from_python_libbpf_does_not_hear_a_signal(
    libbpf: ctypes.CDLL, handle: ctypes.c_void_p, ring: userrb.UserRingBuffer
) -> None:
    """F3: on a partly full ring, a Python handler runs only after the call of libbpf's function."""
    handled = []
    before = signal.signal(signal.SIGALRM, lambda *_: handled.append(time.monotonic()))
    try:
        fill(ring, 3)
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert not libbpf.user_ring_buffer__reserve_blocking(handle, FULL + 1, 600)
        assert time.monotonic() - start >= 0.6
        assert handled
        assert handled[0] - start >= 0.6
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_without_a_wakeup_only_another_drain_ends_the_sleep(
    libbpf: ctypes.CDLL,
    handle: ctypes.c_void_p,
    bpf: userrb.BpfObject,
    ring: userrb.UserRingBuffer,
) -> None:
    """F4: with a timeout of -1, room made with BPF_RB_NO_WAKEUP goes unnoticed."""
    fill(ring)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(libbpf.user_ring_buffer__reserve_blocking, handle, 8, -1)
        time.sleep(0.2)
        assert bpf.programs["drain_no_wakeup"].test_run().retval == 4
        time.sleep(0.5)
        assert not waiting.done()
        ring.write(b"")  # something to drain: else no drain would wake anybody
        bpf.programs["drain"].test_run()
        assert waiting.result(timeout=10)


def test_a_sample_without_bytes_is_drained(
    ring: userrb.UserRingBuffer, drain: Callable[[], int]
) -> None:
    """F5: a header alone is a sample, and the function is called for it."""
    ring.write(b"")
    assert drain() == 1


def test_a_new_handle_does_not_free_a_wedged_ring(
    compile_bpf: Callable[[str], Path], libbpf: ctypes.CDLL
) -> None:
    """F6: after a discarded sample of 2**24 bytes only a new map helps."""
    path = compile_bpf("large")
    with userrb.BpfObject(path) as loaded:
        fd = loaded.maps["samples"].fileno()
        opened = ctypes.c_void_p(libbpf.user_ring_buffer__new(fd, None))
        sample = ctypes.c_void_p(libbpf.user_ring_buffer__reserve(opened, 2**24))
        libbpf.user_ring_buffer__discard(opened, sample)
        libbpf.user_ring_buffer__free(opened)
        with userrb.UserRingBuffer(fd) as ring:
            ring.write(b"8 bytes.")
            for _ in range(3):
                assert loaded.programs["drain"].test_run().retval == -errno.E2BIG
    with userrb.BpfObject(path) as loaded, userrb.UserRingBuffer(loaded.maps["samples"]) as ring:
        ring.write(b"8 bytes.")
        assert loaded.programs["drain"].test_run().retval == 1


def test_a_dropped_sample_is_discarded(
    ring: userrb.UserRingBuffer, drain: Callable[[], int]
) -> None:
    """F7: it does not hold up those behind it."""
    sample = ring.reserve(8)
    ring.write(b"8 bytes.")
    assert drain() == 0
    del sample
    assert drain() == 1


def test_a_process_that_dies_with_a_sample_holds_up_the_rest(
    bpf: userrb.BpfObject, drain: Callable[[], int]
) -> None:
    """F8: the map outlives it, and a new handle does not help."""
    child = os.fork()
    if child == 0:
        ring = userrb.UserRingBuffer(bpf.maps["samples"])
        sample = ring.reserve(8)  # noqa: F841 - a sample that is dropped would be discarded
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
        ring.write(b"8 bytes.")
        assert drain() == 0
        assert drain() == 0


def test_discarded_samples_count_against_the_limit(large: userrb.BpfObject) -> None:
    """F9: a drain of 131072 discarded samples returns 0 and leaves what is behind them."""
    with userrb.UserRingBuffer(large.maps["samples"]) as ring:
        for _ in range(MOST):
            ring.discard(ring.reserve(0))
        ring.write(b"")
        assert large.programs["drain"].test_run().retval == 0
        assert ring.producer_position - ring.consumer_position == 8
        assert large.programs["drain"].test_run().retval == 1


@pytest.mark.parametrize("count", [MOST - 1, MOST, MOST + 1, 2 * MOST])
def test_a_program_can_drain_until_it_takes_less(large: userrb.BpfObject, count: int) -> None:
    """F9: a loop in the BPF program takes all of them."""
    with userrb.UserRingBuffer(large.maps["samples"]) as ring:
        assert ring.submit_many(bytes(8 * count), size=8) == count
        assert large.programs["drain_all"].test_run().retval == count
        assert ring.producer_position == ring.consumer_position


def test_of_concurrent_drains_one_is_busy_and_nothing_is_lost(large: userrb.BpfObject) -> None:
    """F11: two threads that drain at once; one gets -EBUSY."""
    taken = []
    lock = threading.Lock()

    def drain() -> bool:
        result = large.programs["drain"].test_run().retval
        with lock:
            taken.append(result)
        return result == -errno.EBUSY

    with userrb.UserRingBuffer(large.maps["samples"]) as ring, ThreadPoolExecutor(2) as pool:
        for _ in range(200):
            taken.clear()
            assert ring.submit_many(bytes(8 * MOST), size=8) == MOST
            busy = [drain.result() for drain in [pool.submit(drain) for _ in range(2)]]
            large.programs["drain"].test_run()
            assert sum(result for result in taken if result > 0) == MOST
            if any(busy):
                return
    pytest.fail("in 200 rounds no drain met another")


@pytest.mark.parametrize(("asked", "got"), [(1, 4096), (5000, 8192), (12288, 16384)])
def test_the_loader_takes_the_next_valid_size(tmp_path: Path, asked: int, got: int) -> None:
    """F13: libbpf's loader rounds up to a power of two of pages."""
    target = tmp_path / "drain.bpf.o"
    bpf_cc(ROOT / "examples/pitfalls/drain.bpf.c", target, f"-DSIZE={asked}")
    with userrb.BpfObject(target) as loaded:
        assert loaded.maps["samples"].max_entries == got

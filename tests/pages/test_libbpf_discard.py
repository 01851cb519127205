"""What the page of user_ring_buffer__discard says of libbpf's own function."""

from __future__ import annotations

import ctypes
import errno
import select
from collections.abc import Callable

import userrb


def test_a_discarded_sample_is_skipped_and_not_counted(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """F11: of three samples with one discarded, a drain returns 2."""
    samples = [libbpf.user_ring_buffer__reserve(handle, 8) for _ in range(3)]
    libbpf.user_ring_buffer__submit(handle, samples[0])
    libbpf.user_ring_buffer__discard(handle, samples[1])
    libbpf.user_ring_buffer__submit(handle, samples[2])
    assert drain() == 2


def test_the_room_comes_back_with_the_drain(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """Discarding the last sample that was reserved does not give its room back either."""
    libbpf.user_ring_buffer__discard(handle, libbpf.user_ring_buffer__reserve(handle, 4088))
    ctypes.set_errno(0)
    assert libbpf.user_ring_buffer__reserve(handle, 0) is None
    assert ctypes.get_errno() == errno.ENOSPC
    assert drain() == 0
    assert libbpf.user_ring_buffer__reserve(handle, 4088)


def test_a_discard_does_not_overtake(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """F7: a discarded sample behind one that is still reserved keeps its room."""
    first, second = (libbpf.user_ring_buffer__reserve(handle, size) for size in (8, 4064))
    libbpf.user_ring_buffer__discard(handle, second)
    assert drain() == 0
    assert libbpf.user_ring_buffer__reserve(handle, 4064) is None
    libbpf.user_ring_buffer__discard(handle, first)
    assert drain() == 0
    assert libbpf.user_ring_buffer__reserve(handle, 4064)


def test_a_drain_of_discards_wakes(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject, handle: int, drain: Callable[[], int]
) -> None:
    """A drain that finds only discarded samples returns 0, and wakes all the same."""
    with select.epoll() as epoll:
        epoll.register(bpf.maps["samples"].fileno(), select.EPOLLOUT | select.EPOLLET)
        assert epoll.poll(1)
        assert not epoll.poll(0.2)
        libbpf.user_ring_buffer__discard(handle, libbpf.user_ring_buffer__reserve(handle, 8))
        assert drain() == 0
        assert epoll.poll(5)


def test_submitted_then_discarded(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """A submitted sample that no drain has taken can be discarded: libbpf does not notice."""
    sample = libbpf.user_ring_buffer__reserve(handle, 8)
    libbpf.user_ring_buffer__submit(handle, sample)
    libbpf.user_ring_buffer__discard(handle, sample)
    assert drain() == 0


def test_discarded_then_submitted(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """A discarded sample stays discarded if it is submitted."""
    sample = libbpf.user_ring_buffer__reserve(handle, 8)
    libbpf.user_ring_buffer__discard(handle, sample)
    libbpf.user_ring_buffer__submit(handle, sample)
    assert drain() == 0


def test_discarding_late_discards_another_sample(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """After the drain, the same place belongs to somebody else, who loses a sample."""
    sample = libbpf.user_ring_buffer__reserve(handle, 4088)
    libbpf.user_ring_buffer__submit(handle, sample)
    assert drain() == 1
    assert libbpf.user_ring_buffer__reserve(handle, 4088) == sample
    libbpf.user_ring_buffer__discard(handle, sample)  # meant for the first
    libbpf.user_ring_buffer__submit(handle, sample)
    assert drain() == 0

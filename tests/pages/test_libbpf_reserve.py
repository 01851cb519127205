"""What the page of user_ring_buffer__reserve says of libbpf's own function."""

from __future__ import annotations

import ctypes
import errno
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import userrb

RING = 4096

Reserve = Callable[[int], tuple[int | None, int]]


@pytest.fixture
def reserve(libbpf: ctypes.CDLL, handle: int) -> Reserve:
    """Calls reserve; returns the address or None, and errno."""

    def call(size: int) -> tuple[int | None, int]:
        ctypes.set_errno(0)
        return libbpf.user_ring_buffer__reserve(handle, size), ctypes.get_errno()

    return call


@pytest.mark.parametrize(
    ("size", "takes"), [(0, 8), (1, 16), (7, 16), (8, 16), (9, 24), (1016, 1024), (1017, 1032)]
)
def test_a_sample_takes_its_header_and_whole_words(reserve: Reserve, size: int, takes: int) -> None:
    """The next sample begins 8 bytes and the size, rounded up to a multiple of 8, further on."""
    first, second = reserve(size)[0], reserve(0)[0]
    assert first
    assert second
    assert first % 8 == 0
    assert second - first == takes


@pytest.mark.row("user_ring_buffer__reserve", "larger than the whole ring")
def test_e2big_counts_the_header(reserve: Reserve) -> None:
    """F5: the ring's size less 8 fits; one byte more never does, even where the ring is full."""
    assert reserve(RING - 7) == (None, errno.E2BIG)
    assert reserve(RING - 8)[0]
    assert reserve(RING - 7) == (None, errno.E2BIG)
    assert reserve(RING) == (None, errno.E2BIG)
    assert reserve(0xFFFFFFFF) == (None, errno.E2BIG)


@pytest.mark.row("user_ring_buffer__reserve", "no room for the sample now")
def test_enospc_comes_at_once(reserve: Reserve) -> None:
    """A ring without room is ENOSPC, for no bytes too, and without waiting."""
    assert reserve(RING - 8)[0]
    start = time.monotonic()
    assert reserve(0) == (None, errno.ENOSPC)
    assert time.monotonic() - start < 0.1


def test_the_last_byte_can_be_reserved(reserve: Reserve) -> None:
    """Samples fill a ring to its last byte: there is no gap between full and empty."""
    for _ in range(RING // 8):
        assert reserve(0)[0]
    assert reserve(0) == (None, errno.ENOSPC)


def test_a_sample_never_wraps(
    libbpf: ctypes.CDLL, handle: int, reserve: Reserve, bpf: userrb.BpfObject
) -> None:
    """A sample across the ring's end is one piece of memory: the ring is mapped twice in a row."""
    first, _ = reserve(3000)
    assert first
    libbpf.user_ring_buffer__submit(handle, first)
    assert bpf.programs["drain"].test_run().retval == 1
    second, _ = reserve(2000)
    assert second == first + 3008
    ctypes.memset(second, 0xAB, 2000)
    libbpf.user_ring_buffer__submit(handle, second)
    # Its end stands where the first sample stood.
    beyond = second + 2000 - (first + RING - 8)
    assert ctypes.string_at(first - 8, beyond) == b"\xab" * beyond
    assert bpf.programs["drain"].test_run().retval == 1


def test_the_bytes_are_not_zeroed(
    libbpf: ctypes.CDLL, handle: int, reserve: Reserve, bpf: userrb.BpfObject
) -> None:
    """A sample's memory holds what an earlier sample left there."""
    for expected in (bytes(8), b"earlier!"):
        sample, _ = reserve(RING - 8)
        assert sample
        assert ctypes.string_at(sample, 8) == expected
        ctypes.memmove(sample, b"earlier!", 8)
        libbpf.user_ring_buffer__submit(handle, sample)
        bpf.programs["drain"].test_run()


@pytest.mark.parametrize("end", ["submit", "discard"])
def test_two_to_the_24_wedges_the_ring(
    libbpf: ctypes.CDLL, compile_bpf: Callable[[str], Path], end: str
) -> None:
    """F6: 2**24 bytes can be reserved but not drained, nor can what is behind; 2**24 - 1 can."""
    with userrb.BpfObject(compile_bpf("large")) as bpf:
        handle = libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None)
        finish = getattr(libbpf, f"user_ring_buffer__{end}")
        drain = bpf.programs["drain"].test_run
        finish(handle, libbpf.user_ring_buffer__reserve(handle, (1 << 24) - 1))
        assert drain().retval == (1 if end == "submit" else 0)
        finish(handle, libbpf.user_ring_buffer__reserve(handle, 1 << 24))
        libbpf.user_ring_buffer__submit(handle, libbpf.user_ring_buffer__reserve(handle, 8))
        assert [drain().retval for _ in range(3)] == [-errno.E2BIG] * 3
        libbpf.user_ring_buffer__free(handle)

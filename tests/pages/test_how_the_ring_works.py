"""What the page of how the ring works says and its example does not show."""

from __future__ import annotations

import errno
import mmap
import select
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

import userrb

PAGE = mmap.PAGESIZE
BUSY, DISCARD = 1 << 31, 1 << 30


@dataclass
class Mapped:
    """A ring's memory, mapped as the page says."""

    consumer: mmap.mmap
    producer: mmap.mmap

    def header(self, at: int) -> tuple[int, int]:
        """Returns both words of the header at a place in the data."""
        length, rest = struct.unpack_from("=II", self.producer, PAGE + at)
        return length, rest

    def write(self, at: int, length: int, position: int) -> None:
        """Writes a header, and moves the producer position."""
        struct.pack_into("=II", self.producer, PAGE + at, length, 0)
        struct.pack_into("=Q", self.producer, 0, position)


@pytest.fixture
def mapped(bpf: userrb.BpfObject) -> Iterator[Mapped]:
    """The ring of 4096 bytes."""
    fd = bpf.maps["samples"].fileno()
    with (
        mmap.mmap(fd, PAGE, prot=mmap.PROT_READ) as consumer,
        mmap.mmap(fd, PAGE + 2 * 4096, offset=PAGE) as producer,
    ):
        yield Mapped(consumer, producer)


def test_the_consumers_page_cannot_be_mapped_writable(bpf: userrb.BpfObject) -> None:
    """EPERM, by itself and together with what is behind it."""
    for pages in (1, 4):
        with pytest.raises(PermissionError):
            mmap.mmap(bpf.maps["samples"].fileno(), pages * PAGE)


def test_the_mapping_ends_with_the_second_copy(bpf: userrb.BpfObject) -> None:
    """Two pages and twice the data; no more."""
    fd = bpf.maps["samples"].fileno()
    mmap.mmap(fd, 2 * PAGE + 2 * 4096, prot=mmap.PROT_READ).close()
    with pytest.raises(OSError, match="Invalid"):
        mmap.mmap(fd, 3 * PAGE + 2 * 4096, prot=mmap.PROT_READ)


def test_the_second_word_of_the_header_is_not_used(
    ring: userrb.UserRingBuffer, drain: Callable[[], int], mapped: Mapped
) -> None:
    """Whatever stands there, the sample is drained."""
    with ring.reserve(8):
        assert mapped.header(0)[0] == 8 | BUSY
        struct.pack_into("=I", mapped.producer, PAGE + 4, 0xFFFFFFFF)
    assert drain() == 1


def test_a_hand_written_sample_needs_no_busy_bit(drain: Callable[[], int], mapped: Mapped) -> None:
    """Headers first, then one store of the producer position."""
    struct.pack_into("=II", mapped.producer, PAGE, 8, 0)
    struct.pack_into("=II", mapped.producer, PAGE + 16, 8 | DISCARD, 0)
    assert drain() == 0
    mapped.write(32, 0, 40)
    assert drain() == 2
    assert struct.unpack_from("=Q", mapped.consumer) == (40,)


def test_the_length_is_the_one_that_the_program_sees(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """Without header and padding."""
    for size in (0, 1, 8, 13):
        ring.write(bytes(size))
        assert bpf.programs["drain_length"].test_run().retval == size


@pytest.mark.parametrize(
    ("length", "position", "error"),
    [
        (8, 17, errno.EINVAL),  # no multiple of 8
        (8, 8, errno.EINVAL),  # the sample goes past the producer position
        (4096, 4104, errno.E2BIG),  # with its header it is larger than the ring
    ],
)
def test_the_kernel_looks_before_it_believes(
    drain: Callable[[], int], mapped: Mapped, length: int, position: int, error: int
) -> None:
    """What cannot be ends the drain, and nothing is taken."""
    mapped.write(0, length, position)
    assert drain() == -error
    assert struct.unpack_from("=Q", mapped.consumer) == (0,)


def test_positions_stay_with_the_map(bpf: userrb.BpfObject, drain: Callable[[], int]) -> None:
    """A new handle goes on where the last one stopped."""
    for position in (16, 32):
        with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
            ring.write(b"8 bytes.")
            assert ring.producer_position == position
        assert drain() == 1


def test_when_a_drain_wakes(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, drain: Callable[[], int]
) -> None:
    """Once, if it got past a sample, discarded ones too; and if BPF_RB_FORCE_WAKEUP says so."""
    with select.epoll() as epoll:
        epoll.register(bpf.maps["samples"].fileno(), select.EPOLLOUT | select.EPOLLET)
        assert epoll.poll(1)
        ring.discard(ring.reserve(8))
        assert drain() == 0
        assert epoll.poll(1)
        assert drain() == 0
        assert not epoll.poll(0.1)
        ring.write(b"8 bytes.")
        assert not epoll.poll(0.1)  # submitting wakes nobody
        assert bpf.programs["drain_no_wakeup"].test_run().retval == 1
        assert not epoll.poll(0.1)
        assert bpf.programs["drain_force_wakeup"].test_run().retval == 0
        assert epoll.poll(1)


def test_writable_means_not_completely_full(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """8 free bytes are enough for EPOLLOUT, and for a sample of 0 bytes only."""
    with select.epoll() as epoll:
        epoll.register(bpf.maps["samples"].fileno(), select.EPOLLOUT)
        ring.write(bytes(4080))
        assert epoll.poll(0)
        with pytest.raises(userrb.RingFull):
            ring.write(b"1")
        ring.write(b"")
        assert not epoll.poll(0)

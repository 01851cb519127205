"""What the page of BPF_MAP_TYPE_USER_RINGBUF says of the map."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import select
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb

pytestmark = pytest.mark.kernel

PAGE = mmap.PAGESIZE
RING = 4096
USER_RINGBUF = 31
BUSY, DISCARD = 1 << 31, 1 << 30
NUMA_NODE = 1 << 2
READ, WRITE = mmap.PROT_READ, mmap.PROT_WRITE

Create = Callable[..., int]


class Options(ctypes.Structure):
    """struct bpf_map_create_opts, as far as it is used here."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("btf", ctypes.c_uint32 * 4),
        ("inner_map_fd", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
        ("map_extra", ctypes.c_uint64),
        ("numa_node", ctypes.c_uint32),
        ("map_ifindex", ctypes.c_uint32),
    )


@pytest.fixture
def create(libbpf: ctypes.CDLL) -> Iterator[Create]:
    """Calls bpf_map_create; returns a descriptor or a negative errno."""
    created: list[int] = []

    def call(max_entries: int = PAGE, key: int = 0, value: int = 0, flags: int = 0) -> int:
        options = Options(sz=ctypes.sizeof(Options), map_flags=flags)
        fd = libbpf.bpf_map_create(
            USER_RINGBUF, b"test", key, value, max_entries, ctypes.byref(options)
        )
        assert isinstance(fd, int)
        if fd >= 0:
            created.append(fd)
        return fd

    yield call
    for fd in created:
        os.close(fd)


@pytest.mark.parametrize("max_entries", [PAGE, 2 * PAGE, 64 * PAGE])
def test_sizes_that_it_can_have(create: Create, max_entries: int) -> None:
    """A power of two, and a multiple of the page size."""
    assert create(max_entries) >= 0


@pytest.mark.parametrize("max_entries", [0, 1, 1000, PAGE // 2, PAGE + 8, 3 * PAGE])
@pytest.mark.row("BPF_MAP_TYPE_USER_RINGBUF", "`max_entries` is 0")
def test_sizes_that_it_cannot_have(create: Create, max_entries: int) -> None:
    """F13: anything else is EINVAL."""
    assert create(max_entries) == -errno.EINVAL


@pytest.mark.row("BPF_MAP_TYPE_USER_RINGBUF", "`key_size` or `value_size`")
def test_it_has_no_keys_and_no_values(create: Create) -> None:
    """key_size and value_size must be 0."""
    assert create(key=4) == -errno.EINVAL
    assert create(value=8) == -errno.EINVAL


@pytest.mark.row("BPF_MAP_TYPE_USER_RINGBUF", "`map_flags` has another flag")
def test_the_only_flag_is_the_node(create: Create) -> None:
    """Of the creation flags only BPF_F_NUMA_NODE is allowed."""
    answers = {1 << bit: create(flags=1 << bit) for bit in range(32)}
    assert answers.pop(NUMA_NODE) >= 0
    assert set(answers.values()) == {-errno.EINVAL}, answers


@pytest.mark.row("BPF_MAP_TYPE_USER_RINGBUF", "no `CAP_BPF`")
def test_creating_needs_privilege(create: Create) -> None:
    """EPERM without CAP_BPF."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        os._exit(-create())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == errno.EPERM


def test_libbpf_rounds_up(tmp_path: Path, compile_bpf: Callable[[str], Path]) -> None:
    """F13: the loader makes 4096 of a max_entries of 1000."""
    with userrb.BpfObject(compile_bpf("rounded")) as bpf:
        assert bpf.maps["samples"].max_entries == PAGE


def test_its_memory_is_there_from_the_beginning(create: Create) -> None:
    """The kernel charges for the whole ring when it is created."""

    def charged(size: int) -> int:
        text = Path(f"/proc/self/fdinfo/{create(size)}").read_text()
        found = re.search(r"memlock:\s*(\d+)", text)
        assert found
        return int(found[1])

    assert charged(1 << 20) - charged(PAGE) >= (1 << 20) - PAGE


@pytest.mark.parametrize(
    "call",
    [
        "bpf_map_lookup_elem",
        "bpf_map_update_elem",
        "bpf_map_delete_elem",
        "bpf_map_lookup_and_delete_elem",
        "bpf_map_get_next_key",
    ],
)
def test_the_calls_on_elements_do_nothing(libbpf: ctypes.CDLL, create: Create, call: str) -> None:
    """524 (ENOTSUPP of the kernel's own) for all of them."""
    value = ctypes.create_string_buffer(8)
    arguments = {"bpf_map_delete_elem": (None,), "bpf_map_update_elem": (None, value, 0)}
    assert getattr(libbpf, call)(create(), *arguments.get(call, (None, value))) == -524


@pytest.mark.parametrize(
    ("offset", "length", "protection", "error"),
    [
        (0, PAGE, READ, 0),
        (0, PAGE, READ | WRITE, errno.EPERM),
        (0, 4 * PAGE, READ, 0),
        (0, 4 * PAGE, READ | WRITE, errno.EPERM),
        (PAGE, 3 * PAGE, READ | WRITE, 0),
        (PAGE, PAGE, READ | WRITE, 0),
        (2 * PAGE, PAGE, READ | WRITE, 0),
        (PAGE, 4 * PAGE, READ | WRITE, errno.EINVAL),
    ],
)
def test_what_can_be_mapped(
    create: Create, offset: int, length: int, protection: int, error: int
) -> None:
    """The consumer page is read-only; the producer page and the data, twice, are writable."""
    number = 0
    try:
        mmap.mmap(create(), length, prot=protection, offset=offset).close()
    except OSError as refused:
        number = refused.errno or 0
    assert number == error


def test_the_data_is_mapped_twice(create: Create) -> None:
    """A byte behind the ring's end is the byte at its beginning."""
    with mmap.mmap(create(), 3 * PAGE, offset=PAGE) as producer:
        producer[PAGE] = 7
        assert producer[2 * PAGE] == 7


def test_positions_and_headers(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """Positions count bytes and never wrap; a header is a length with two bits, and 4 bytes."""
    fd = bpf.maps["samples"].fileno()
    with (
        mmap.mmap(fd, PAGE, prot=READ) as consumer,
        mmap.mmap(fd, PAGE + RING, offset=PAGE) as producer,
    ):

        def positions() -> tuple[int, int]:
            return (*struct.unpack_from("=Q", consumer), *struct.unpack_from("=Q", producer))

        def header(at: int) -> int:
            return int(struct.unpack_from("=I", producer, PAGE + at)[0])

        assert positions() == (0, 0)
        first, second = ring.reserve(5), ring.reserve(16)
        assert positions() == (0, 40)
        assert (header(0), header(16)) == (BUSY | 5, BUSY | 16)
        first[:] = b"fives"
        ring.submit(first)
        ring.discard(second)
        assert (header(0), header(16)) == (5, DISCARD | 16)
        assert producer[PAGE + 8 : PAGE + 13] == b"fives"
        assert bpf.programs["drain"].test_run().retval == 1
        assert positions() == (40, 40)
        ring.discard(ring.reserve(RING - 8))
        assert bpf.programs["drain"].test_run().retval == 0
        assert positions() == (RING + 40, RING + 40)


def test_it_is_writable_unless_it_is_full(ring: userrb.UserRingBuffer) -> None:
    """8 free bytes are enough for poll, whatever the next sample needs."""
    poll = select.poll()
    poll.register(ring.fileno(), select.POLLOUT)
    ring.write(bytes(4080))
    assert poll.poll(0)
    with pytest.raises(userrb.RingFull):
        ring.reserve(1)
    ring.write(b"")
    assert not poll.poll(0)

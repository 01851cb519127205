"""What the pages of bpf_map_*_elem, bpf_map_get_next_key and bpf_map_lookup_batch say."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator

import pytest

pytestmark = pytest.mark.kernel

HASH, ARRAY, QUEUE = 1, 2, 22
ANY, NOEXIST, EXIST = 0, 1, 2
RDONLY, WRONLY = 1 << 3, 1 << 4
ENOTSUPP = 524
"""An errno of the kernel's own, of which errno.h knows nothing."""

Map = Callable[..., int]


class _CreateOptions(ctypes.Structure):
    """`struct bpf_map_create_opts`, up to its flags."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("btf_fd", ctypes.c_uint32),
        ("btf_key_type_id", ctypes.c_uint32),
        ("btf_value_type_id", ctypes.c_uint32),
        ("btf_vmlinux_value_type_id", ctypes.c_uint32),
        ("inner_map_fd", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
    )


def u32(number: int = 0) -> ctypes.c_uint32:
    """Make a key."""
    return ctypes.c_uint32(number)


def u64(number: int = 0) -> ctypes.c_uint64:
    """Make a value."""
    return ctypes.c_uint64(number)


@pytest.fixture
def make(libbpf: ctypes.CDLL) -> Iterator[Map]:
    """Creates maps of 4-byte keys (a queue has none) and 8-byte values."""
    made: list[int] = []

    def create(kind: int = HASH, entries: int = 4, flags: int = 0) -> int:
        options = _CreateOptions(sz=ctypes.sizeof(_CreateOptions), map_flags=flags)
        key_size = 0 if kind == QUEUE else 4
        fd = libbpf.bpf_map_create(kind, b"test", key_size, 8, entries, ctypes.byref(options))
        assert fd >= 0, os.strerror(-fd)
        made.append(fd)
        return int(fd)

    yield create
    for fd in made:
        os.close(fd)


@pytest.fixture
def update(libbpf: ctypes.CDLL) -> Callable[..., int]:
    """Sets an element; returns what the call does, which errno has as well."""

    def call(fd: int, key: int, value: int = 0, flags: int = ANY) -> int:
        ctypes.set_errno(0)
        done = libbpf.bpf_map_update_elem(
            fd, ctypes.byref(u32(key)), ctypes.byref(u64(value)), ctypes.c_uint64(flags)
        )
        assert ctypes.get_errno() == -done
        return int(done)

    return call


@pytest.fixture
def lookup(libbpf: ctypes.CDLL) -> Callable[..., tuple[int, int]]:
    """Looks an element up; returns what the call does, which errno has as well, and the value."""

    def call(fd: int, key: int) -> tuple[int, int]:
        value = u64()
        ctypes.set_errno(0)
        done = libbpf.bpf_map_lookup_elem(fd, ctypes.byref(u32(key)), ctypes.byref(value))
        assert ctypes.get_errno() == -done
        return int(done), value.value

    return call


@pytest.fixture
def delete(libbpf: ctypes.CDLL) -> Callable[[int, int], int]:
    """Deletes an element; returns what the call does."""
    return lambda fd, key: int(libbpf.bpf_map_delete_elem(fd, ctypes.byref(u32(key))))


@pytest.fixture
def following(libbpf: ctypes.CDLL) -> Callable[..., tuple[int, int]]:
    """Asks for the next key, in place; returns what the call does, and the key."""

    def call(fd: int, key: int | None) -> tuple[int, int]:
        both = u32(key or 0)
        given = None if key is None else ctypes.byref(both)
        return int(libbpf.bpf_map_get_next_key(fd, given, ctypes.byref(both))), both.value

    return call


@pytest.mark.row("bpf_map_lookup_elem", "no such key")
def test_a_missing_key_is_not_found(make: Map, lookup: Callable[..., tuple[int, int]]) -> None:
    """Looking up what is not there is ENOENT."""
    assert lookup(make(), 1) == (-errno.ENOENT, 0)


@pytest.mark.row("bpf_map_lookup_elem", "not an open file descriptor")
def test_a_closed_descriptor(lookup: Callable[..., tuple[int, int]]) -> None:
    """A descriptor that is not open is EBADF."""
    assert lookup(-1, 1)[0] == -errno.EBADF


@pytest.mark.row("bpf_map_lookup_elem", "open, but not a map")
def test_a_descriptor_of_something_else(lookup: Callable[..., tuple[int, int]]) -> None:
    """A descriptor of a file is EINVAL."""
    with open(os.devnull) as file:  # noqa: PTH123 - for its descriptor
        assert lookup(file.fileno(), 1)[0] == -errno.EINVAL


@pytest.mark.row("bpf_map_lookup_elem", "not an address of the program")
def test_a_wrong_address(make: Map, libbpf: ctypes.CDLL, update: Callable[..., int]) -> None:
    """A key that cannot be read, or a value that cannot be written, is EFAULT."""
    fd = make()
    assert update(fd, 1) == 0
    wrong, key, value = ctypes.c_void_p(8), u32(1), u64()
    lookup = libbpf.bpf_map_lookup_elem
    assert lookup(fd, wrong, ctypes.byref(value)) == -errno.EFAULT
    assert lookup(fd, ctypes.byref(key), wrong) == -errno.EFAULT


@pytest.mark.row("bpf_map_lookup_elem", "BPF_F_WRONLY")
def test_a_map_that_only_the_kernel_reads(
    make: Map, update: Callable[..., int], lookup: Callable[..., tuple[int, int]]
) -> None:
    """With BPF_F_WRONLY user space may write, and reading is EPERM."""
    fd = make(flags=WRONLY)
    assert update(fd, 1) == 0
    assert lookup(fd, 1)[0] == -errno.EPERM


def test_a_value_is_a_copy(
    make: Map, update: Callable[..., int], lookup: Callable[..., tuple[int, int]]
) -> None:
    """The value that was looked up stays what it was when the map's changes."""
    fd = make()
    assert update(fd, 1, 10) == 0
    before = lookup(fd, 1)
    assert update(fd, 1, 20) == 0
    assert (before, lookup(fd, 1)) == ((0, 10), (0, 20))


def test_the_kernel_writes_the_map_s_size(
    make: Map, libbpf: ctypes.CDLL, update: Callable[..., int]
) -> None:
    """8 bytes are written, though the program may have had 4 in mind."""
    fd = make()
    assert update(fd, 1, (1 << 64) - 1) == 0
    two = (ctypes.c_uint32 * 2)(0, 0)
    assert libbpf.bpf_map_lookup_elem(fd, ctypes.byref(u32(1)), two) == 0
    assert two[1] == 0xFFFFFFFF


@pytest.mark.row("bpf_map_update_elem", "and the map has the key")
def test_adding_what_is_there(make: Map, update: Callable[..., int]) -> None:
    """BPF_NOEXIST only adds; in an array, where all elements are there, it never does."""
    fd = make()
    assert update(fd, 1, 0, NOEXIST) == 0
    assert update(fd, 1, 0, NOEXIST) == -errno.EEXIST
    assert update(make(ARRAY), 1, 0, NOEXIST) == -errno.EEXIST


@pytest.mark.row("bpf_map_update_elem", "does not have the key")
def test_changing_what_is_not_there(make: Map, update: Callable[..., int]) -> None:
    """BPF_EXIST only changes."""
    fd = make()
    assert update(fd, 1, 0, EXIST) == -errno.ENOENT
    assert update(fd, 1) == 0
    assert update(fd, 1, 5, EXIST) == 0


@pytest.mark.row("bpf_map_update_elem", "as many elements as it has room for")
def test_a_full_map(make: Map, update: Callable[..., int]) -> None:
    """A new key beyond max_entries is E2BIG, an old one is not; so is an index beyond an array."""
    fd = make(entries=2)
    assert [update(fd, key) for key in (1, 2, 3, 1)] == [0, 0, -errno.E2BIG, 0]
    assert update(make(ARRAY, entries=2), 2) == -errno.E2BIG


@pytest.mark.row("bpf_map_update_elem", "none of the three")
def test_an_unknown_flag(make: Map, update: Callable[..., int]) -> None:
    """Another number than the three is EINVAL."""
    assert update(make(), 1, 0, 3) == -errno.EINVAL


@pytest.mark.row("bpf_map_update_elem", "not an open file descriptor")
def test_updating_nothing(update: Callable[..., int]) -> None:
    """A descriptor that is not open is EBADF."""
    assert update(-1, 1) == -errno.EBADF


@pytest.mark.row("bpf_map_update_elem", "or is frozen")
def test_a_map_that_user_space_only_reads(
    make: Map, libbpf: ctypes.CDLL, update: Callable[..., int]
) -> None:
    """BPF_F_RDONLY and bpf_map_freeze both make it EPERM."""
    assert update(make(flags=RDONLY), 1) == -errno.EPERM
    fd = make()
    assert libbpf.bpf_map_freeze(fd) == 0
    assert update(fd, 1) == -errno.EPERM


@pytest.mark.row("bpf_map_delete_elem", "no such key")
def test_deleting_what_is_not_there(
    make: Map, update: Callable[..., int], delete: Callable[[int, int], int]
) -> None:
    """An element can be deleted once."""
    fd = make()
    assert update(fd, 1) == 0
    assert [delete(fd, 1), delete(fd, 1)] == [0, -errno.ENOENT]


@pytest.mark.row("bpf_map_delete_elem", "array")
def test_an_array_keeps_its_elements(make: Map, delete: Callable[[int, int], int]) -> None:
    """Deleting from an array is EINVAL."""
    assert delete(make(ARRAY), 1) == -errno.EINVAL


@pytest.mark.row("bpf_map_delete_elem", "not an open file descriptor")
def test_deleting_nothing(delete: Callable[[int, int], int]) -> None:
    """A descriptor that is not open is EBADF."""
    assert delete(-1, 1) == -errno.EBADF


def test_deleting_the_first_key_empties_a_map(
    make: Map,
    update: Callable[..., int],
    delete: Callable[[int, int], int],
    following: Callable[..., tuple[int, int]],
) -> None:
    """The first key is there until the map is empty."""
    fd = make()
    for key in (1, 2, 3):
        assert update(fd, key) == 0
    deleted = []
    while (found := following(fd, None))[0] == 0:
        assert delete(fd, found[1]) == 0
        deleted.append(found[1])
    assert sorted(deleted) == [1, 2, 3]


@pytest.mark.row("bpf_map_get_next_key", "last key, or the map is empty")
def test_the_end_of_a_walk(
    make: Map, update: Callable[..., int], following: Callable[..., tuple[int, int]]
) -> None:
    """A walk in place sees each key once, and then ENOENT; so does one of an empty map."""
    fd = make()
    assert following(fd, None)[0] == -errno.ENOENT
    for key in (1, 2, 3):
        assert update(fd, key) == 0
    seen, (done, key) = [], following(fd, None)
    while done == 0:
        seen.append(key)
        done, key = following(fd, key)
    assert (sorted(seen), done) == ([1, 2, 3], -errno.ENOENT)


@pytest.mark.row("bpf_map_get_next_key", "not an open file descriptor")
def test_walking_nothing(following: Callable[..., tuple[int, int]]) -> None:
    """A descriptor that is not open is EBADF."""
    assert following(-1, None)[0] == -errno.EBADF


def test_a_key_that_is_gone_begins_anew(
    make: Map, update: Callable[..., int], following: Callable[..., tuple[int, int]]
) -> None:
    """From a key that the map does not have, a walk goes to the first one, without an error."""
    fd = make()
    assert update(fd, 1) == 0
    assert following(fd, 77) == following(fd, None) == (0, 1)


Batch = Callable[..., tuple[int, list[tuple[int, int]]]]


@pytest.fixture
def batch(libbpf: ctypes.CDLL) -> Batch:
    """Reads at most some elements; returns what the call does, and the elements."""

    def call(
        fd: int, room: int, place: ctypes.c_uint32, *, first: bool = True
    ) -> tuple[int, list[tuple[int, int]]]:
        keys, values, count = (ctypes.c_uint32 * 64)(), (ctypes.c_uint64 * 64)(), u32(room)
        done = libbpf.bpf_map_lookup_batch(
            fd,
            None if first else ctypes.byref(place),
            ctypes.byref(place),
            keys,
            values,
            ctypes.byref(count),
            None,
        )
        return int(done), list(zip(keys[: count.value], values[: count.value], strict=True))

    return call


@pytest.mark.row("bpf_map_lookup_batch", "end of the map")
def test_the_last_batch_fails_and_counts(
    make: Map, update: Callable[..., int], batch: Batch
) -> None:
    """ENOENT comes with the last elements, also if all of them fit into the first call."""
    fd = make(ARRAY, entries=5)
    for key in range(5):
        assert update(fd, key, 10 * key) == 0
    place = u32()
    calls = [
        batch(fd, 2, place),
        batch(fd, 2, place, first=False),
        batch(fd, 2, place, first=False),
    ]
    assert [done for done, _ in calls] == [0, 0, -errno.ENOENT]
    elements = [(key, 10 * key) for key in range(5)]
    assert [each for _, its in calls for each in its] == elements
    assert batch(fd, 8, u32()) == (-errno.ENOENT, elements)


@pytest.mark.row("bpf_map_lookup_batch", "so little room")
def test_a_bucket_that_does_not_fit(make: Map, update: Callable[..., int], batch: Batch) -> None:
    """Of 64 keys in 64 buckets some share one: with room for one key, the call says ENOSPC."""
    fd = make(entries=64)
    for key in range(64):
        assert update(fd, key) == 0
    place, found, room, first, full = u32(), [], 1, True, 0
    while True:
        done, its = batch(fd, room, place, first=first)
        if done == -errno.ENOSPC:
            assert its == [], "nothing is copied"
            full, room = full + 1, 64
            continue
        found += its
        if done == -errno.ENOENT:
            break
        assert done == 0
        first, room = False, 1
    assert full
    assert sorted(key for key, _ in found) == list(range(64))


@pytest.mark.row("bpf_map_lookup_batch", "not to be trusted")
def test_a_batch_to_nowhere(make: Map, libbpf: ctypes.CDLL, update: Callable[..., int]) -> None:
    """Keys that cannot be written are EFAULT."""
    fd = make()
    assert update(fd, 1) == 0
    place, count = u32(), u32(4)
    done = libbpf.bpf_map_lookup_batch(
        fd,
        None,
        ctypes.byref(place),
        ctypes.c_void_p(8),
        ctypes.c_void_p(8),
        ctypes.byref(count),
        None,
    )
    assert done == -errno.EFAULT


def test_a_queue_has_no_batches(make: Map, batch: Batch) -> None:
    """Where a type of map has none, the kernel's ENOTSUPP comes through."""
    assert batch(make(QUEUE), 4, u32())[0] == -ENOTSUPP

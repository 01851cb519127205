"""What the pages say of functions that only tell something: of a program, a map or a type."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pages.native import failed, native
from tests.pages.objects import Handle, Open, bpf_map, program, text

XDP, SOCKET_FILTER = 6, 1
STRUCT, ARRAY, TYPEDEF, FUNC, DATASEC = 4, 3, 8, 12, 15


def info(fd: int, room: int, filled: bytes = b"") -> tuple[int, int, bytes]:
    """Ask the kernel; returns what the call returned, how much it wrote, and the bytes."""
    buffer, size = ctypes.create_string_buffer(filled, room), ctypes.c_uint32(room)
    result = native.bpf_obj_get_info_by_fd(fd, buffer, ctypes.byref(size))
    return result, size.value, buffer.raw


def test_information_on_a_map_and_a_program(loaded: Handle) -> None:
    """Struct bpf_map_info and bpf_prog_info begin with the type and the number."""
    result, size, found = info(native.bpf_map__fd(bpf_map(loaded, "numbers")), 80)
    assert (result, size) == (0, 80)
    assert struct.unpack_from("=6I", found)[2:] == (4, 8, 2, 0)
    result, size, found = info(native.bpf_program__fd(program(loaded, "count")), 80)
    assert (result, size) == (0, 80)
    assert struct.unpack_from("=I", found)[0] == XDP


def test_less_and_more_room_than_the_kernel_has(loaded: Handle) -> None:
    """It writes what fits, and says how much it wrote."""
    fd = native.bpf_map__fd(bpf_map(loaded, "numbers"))
    assert info(fd, 8)[:2] == (0, 8)
    result, size, _ = info(fd, 1024)
    assert result == 0
    assert 80 <= size < 1024


@pytest.mark.row("bpf_obj_get_info_by_fd", "is not open")
@pytest.mark.row("bpf_obj_get_info_by_fd", "not a map")
@pytest.mark.row("bpf_obj_get_info_by_fd", "does not know")
@pytest.mark.row("bpf_obj_get_info_by_fd", "not point to")
def test_no_information(loaded: Handle) -> None:
    """A wrong descriptor, bytes behind what the kernel knows, and no memory."""
    assert failed(info(-1, 80)[0]) == errno.EBADFD
    with open("/dev/null") as file:  # noqa: PTH123
        assert failed(info(file.fileno(), 80)[0]) == errno.EINVAL
    fd = native.bpf_map__fd(bpf_map(loaded, "numbers"))
    assert failed(info(fd, 1024, bytes(1000) + b"x")[0]) == errno.E2BIG
    size = ctypes.c_uint32(80)
    nothing = native.bpf_obj_get_info_by_fd(fd, None, ctypes.byref(size))
    assert failed(nothing) == errno.EFAULT


def test_sizes_of_maps(unloaded: Handle) -> None:
    """From the definition, before the load and after it."""
    numbers = bpf_map(unloaded, "numbers")
    for _ in range(2):
        assert native.bpf_map__max_entries(numbers) == 2
        assert native.bpf_map__value_size(numbers) == 8
        native.bpf_object__load(unloaded)


def test_a_map_that_gets_its_size_at_the_load(
    open_object: Open, compile_bpf: Callable[[str], Path]
) -> None:
    """A perf event array without a size: 0, and then the number of CPUs."""
    handle = open_object(compile_bpf("buffers"))
    events = bpf_map(handle, "perf_events")
    assert native.bpf_map__max_entries(events) == 0
    assert native.bpf_object__load(handle) == 0
    assert native.bpf_map__max_entries(events) == native.libbpf_num_possible_cpus()


def test_types_of_programs_in_words(quiet: None) -> None:
    """NULL for a number that this libbpf does not know."""
    assert text(native.libbpf_bpf_prog_type_str(XDP)) == "xdp"
    assert text(native.libbpf_bpf_prog_type_str(SOCKET_FILTER)) == "socket_filter"
    assert text(native.libbpf_bpf_prog_type_str(0)) == "unspec"
    assert native.libbpf_bpf_prog_type_str(9999) is None


def size_of(types: Handle, name: bytes, kind: int) -> int:
    """Find a type and return its size."""
    number = native.btf__find_by_name_kind(types, name, kind)
    assert number > 0
    size: int = native.btf__resolve_size(types, number)
    return size


@pytest.mark.row("btf__resolve_size", "has no size")
def test_sizes_of_types(open_object: Open) -> None:
    """Of structures, of what a typedef stands for, of sections of data; functions have none."""
    types = native.bpf_object__btf(open_object())
    assert size_of(types, b"xdp_md", STRUCT) == 24
    assert size_of(types, b"__u32", TYPEDEF) == 4
    assert size_of(types, b"license", DATASEC) == len("Dual MIT/GPL") + 1
    assert failed(size_of(types, b"count", FUNC)) == errno.EINVAL
    assert failed(native.btf__resolve_size(types, 0)) == errno.EINVAL
    assert failed(native.btf__resolve_size(types, 1 << 20)) == errno.EINVAL

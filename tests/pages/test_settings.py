"""What the pages of bpf_program__set_* and bpf_map__set_* say of libbpf's own functions."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pages.native import failed, native
from tests.pages.objects import Handle, Open, bpf_map, kernels_name, program

SOCKET_FILTER, CGROUP_SKB = 1, 8
INGRESS, EGRESS = 0, 1
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.mark.row("bpf_program__set_autoload", "has been loaded")
def test_autoload(unloaded: Handle) -> None:
    """What is switched off is left out; after the load it is too late."""
    count, optional = program(unloaded, "count"), program(unloaded, "optional")
    assert (native.bpf_program__autoload(count), native.bpf_program__autoload(optional)) == (1, 0)
    assert native.bpf_program__set_autoload(count, False) == 0
    assert native.bpf_program__set_autoload(optional, True) == 0
    assert native.bpf_object__load(unloaded) == 0
    assert failed(native.bpf_program__fd(count)) == errno.ENOENT
    assert native.bpf_program__fd(optional) >= 0
    assert failed(native.bpf_program__set_autoload(count, True)) == errno.EINVAL


@pytest.mark.row("bpf_program__set_type", "has been loaded")
def test_type(open_object: Open) -> None:
    """A section that libbpf does not know, and a type for it."""
    handle = open_object()
    untyped = program(handle, "untyped")
    assert native.bpf_program__set_type(untyped, SOCKET_FILTER) == 0
    assert native.bpf_program__type(untyped) == SOCKET_FILTER
    assert native.bpf_object__load(handle) == 0
    assert kernels_type(native.bpf_program__fd(untyped)) == SOCKET_FILTER
    assert failed(native.bpf_program__set_type(untyped, SOCKET_FILTER)) == errno.EBUSY


def kernels_type(fd: int) -> int:
    """Ask the kernel for the type of a program."""
    info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
    assert native.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0
    return int(struct.unpack_from("=I", info)[0])


@pytest.mark.row("bpf_program__set_expected_attach_type", "has been loaded")
def test_expected_attach_type(open_object: Open) -> None:
    """The kernel keeps it, and refuses to attach elsewhere."""
    handle = open_object()
    untyped = program(handle, "untyped")
    assert native.bpf_program__set_type(untyped, CGROUP_SKB) == 0
    assert native.bpf_program__expected_attach_type(untyped) == INGRESS
    assert native.bpf_program__set_expected_attach_type(untyped, EGRESS) == 0
    assert native.bpf_program__expected_attach_type(untyped) == EGRESS
    assert native.bpf_object__load(handle) == 0
    set_again = native.bpf_program__set_expected_attach_type(untyped, INGRESS)
    assert failed(set_again) == errno.EBUSY


def test_a_wrong_type_fails_at_the_load(open_object: Open) -> None:
    """Setting checks nothing: the kernel does, for type and attach type."""
    handle = open_object()
    untyped = program(handle, "untyped")
    assert native.bpf_program__set_type(untyped, 9999) == 0
    assert failed(native.bpf_object__load(handle)) == errno.EINVAL
    handle = open_object()
    untyped = program(handle, "untyped")
    assert native.bpf_program__set_type(untyped, CGROUP_SKB) == 0
    assert native.bpf_program__set_expected_attach_type(untyped, 2) == 0
    assert failed(native.bpf_object__load(handle)) == errno.EINVAL


@pytest.mark.row("bpf_program__set_attach_target", "has been loaded")
def test_attach_target_after_the_load(loaded: Handle) -> None:
    """Too late."""
    target = native.bpf_program__set_attach_target(program(loaded, "count"), 0, b"vfs_read")
    assert failed(target) == errno.EINVAL


@pytest.mark.row("bpf_program__set_attach_target", "is `NULL`")
@pytest.mark.row("bpf_program__set_attach_target", "negative")
@pytest.mark.row("bpf_program__set_attach_target", "is not a program")
def test_attach_target_with_wrong_arguments(unloaded: Handle) -> None:
    """No function of the kernel, and descriptors that are not of programs."""
    count = program(unloaded, "count")
    assert failed(native.bpf_program__set_attach_target(count, 0, None)) == errno.EINVAL
    assert failed(native.bpf_program__set_attach_target(count, -1, b"part")) == errno.EINVAL
    with open("/dev/null") as file:  # noqa: PTH123
        target = native.bpf_program__set_attach_target(count, file.fileno(), b"part")
        assert failed(target) == errno.EINVAL


@pytest.mark.row("bpf_program__set_attach_target", "no such function in the program")
@pytest.mark.row("bpf_program__set_attach_target", "no such function in the kernel")
def test_attach_target_without_the_function(loaded: Handle, open_object: Open) -> None:
    """It is looked for in the BTF of the program, or of the kernel."""
    other = program(open_object(), "count")
    fd = native.bpf_program__fd(program(loaded, "count"))
    assert failed(native.bpf_program__set_attach_target(other, fd, b"none")) == errno.ENOENT
    assert failed(native.bpf_program__set_attach_target(other, 0, b"none")) == errno.ESRCH
    assert native.bpf_program__set_attach_target(other, fd, b"part") == 0
    assert native.bpf_program__set_attach_target(other, 0, b"bpf_prog_put") == 0


@pytest.mark.row("bpf_map__set_max_entries", "has been loaded")
@pytest.mark.row("bpf_map__set_value_size", "has been loaded")
def test_sizes(unloaded: Handle) -> None:
    """The kernel gets the sizes that were set."""
    longest = bpf_map(unloaded, "a_map_with_quite_a_long_name")
    assert native.bpf_map__set_max_entries(longest, 1000) == 0
    assert native.bpf_map__set_value_size(longest, 20) == 0
    assert native.bpf_map__max_entries(longest) == 1000
    assert native.bpf_map__value_size(longest) == 20
    assert native.bpf_object__load(unloaded) == 0
    fd = native.bpf_map__fd(longest)
    info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
    assert native.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0
    assert struct.unpack_from("=6I", info)[2:5] == (4, 20, 1000)
    assert kernels_name(fd, 24) == b"a_map_with_quit"
    assert failed(native.bpf_map__set_max_entries(longest, 1)) == errno.EBUSY
    assert failed(native.bpf_map__set_value_size(longest, 1)) == errno.EBUSY


def test_a_size_without_its_btf(unloaded: Handle) -> None:
    """A map defined with __type(value, ...) is made without BTF; libbpf tries again without it."""
    names = "numbers", "a_map_with_quite_a_long_name"
    assert native.bpf_map__set_value_size(bpf_map(unloaded, names[1]), 20) == 0
    assert native.bpf_object__load(unloaded) == 0
    types = []
    for name in names:
        info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
        fd = native.bpf_map__fd(bpf_map(unloaded, name))
        assert native.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0
        types.append(struct.unpack_from("=I", info, 72)[0])
    assert types[0] != 0
    assert types[1] == 0


def test_no_size_is_refused_at_the_load(unloaded: Handle) -> None:
    """Setting checks nothing: the kernel does."""
    assert native.bpf_map__set_max_entries(bpf_map(unloaded, "numbers"), 0) == 0
    assert failed(native.bpf_object__load(unloaded)) == errno.EINVAL


def test_a_ring_buffers_size_is_rounded_up(
    open_object: Open, compile_bpf: Callable[[str], Path]
) -> None:
    """To a power of two pages."""
    events = bpf_map(open_object(compile_bpf("buffers")), "events")
    assert native.bpf_map__set_max_entries(events, 2 * PAGE + 1) == 0
    assert native.bpf_map__max_entries(events) == 4 * PAGE

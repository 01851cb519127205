"""What the pages of btf__* and bpf_object__btf say of libbpf's own functions."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.child import become_nobody, in_child
from tests.pages.native import failed, native
from tests.pages.objects import Handle, Open, text
from tests.userrb.rig import BPF, bpf_cc

pytestmark = pytest.mark.kernel

UNKNOWN, STRUCT, TYPEDEF, FUNC = 0, 4, 8, 12


@pytest.fixture
def types(quiet: None) -> Iterator[Handle]:
    """Load the kernel's types."""
    loaded = native.btf__load_vmlinux_btf()
    yield loaded
    native.btf__free(loaded)


def kind(types: Handle, number: int) -> int:
    """Return the kind of a type: five bits of struct btf_type."""
    place = native.btf__type_by_id(types, number)
    return (ctypes.c_uint32.from_address(place + 4).value >> 24) & 0x1F


def name(types: Handle, number: int) -> str | None:
    """Return the name of a type."""
    place = native.btf__type_by_id(types, number)
    return text(native.btf__name_by_offset(types, ctypes.c_uint32.from_address(place).value))


@pytest.mark.row("btf__load_vmlinux_btf", "has no BTF")
def test_a_kernel_without_types(tmp_path: Path, quiet: None) -> None:
    """Neither in sysfs nor in a file of the kernel's, where libbpf looks for one."""

    def look() -> bool:
        os.chroot(tmp_path)
        return failed(native.btf__load_vmlinux_btf()) == errno.ESRCH

    assert in_child(look) == 1


def test_the_types_are_for_everybody(quiet: None) -> None:
    """They need no privilege."""

    def unprivileged() -> bool:
        become_nobody()
        return bool(native.btf__load_vmlinux_btf())

    assert in_child(unprivileged) == 1


def test_the_types_are_not_loaded_into_the_kernel_again(types: Handle) -> None:
    """There is no descriptor to them; they are megabytes of memory."""
    assert native.btf__fd(types) == -1
    assert Path("/sys/kernel/btf/vmlinux").stat().st_size > 1 << 20


@pytest.mark.row("btf__find_by_name", "no type of this name")
def test_find_a_type(types: Handle) -> None:
    """The first one of this name, whatever its kind."""
    number = native.btf__find_by_name(types, b"list_head")
    assert name(types, number) == "list_head"
    before = range(1, number)
    assert all(name(types, other) != "list_head" for other in before)
    assert native.btf__find_by_name(types, b"void") == 0
    assert failed(native.btf__find_by_name(types, b"no such type")) == errno.ENOENT


@pytest.mark.row("btf__find_by_name_kind", "no type of this kind and name")
def test_find_a_type_of_a_kind(types: Handle) -> None:
    """`struct` and `typedef` are kinds, not parts of the name."""
    for wanted, of_kind in ((b"list_head", STRUCT), (b"pid_t", TYPEDEF), (b"bpf_prog_put", FUNC)):
        number = native.btf__find_by_name_kind(types, wanted, of_kind)
        assert (name(types, number), kind(types, number)) == (wanted.decode(), of_kind)
    missing = native.btf__find_by_name_kind(types, b"list_head", FUNC)
    assert failed(missing) == errno.ENOENT
    missing = native.btf__find_by_name_kind(types, b"struct list_head", STRUCT)
    assert failed(missing) == errno.ENOENT


@pytest.mark.row("btf__type_by_id", "no type with this number")
def test_types_are_numbered(types: Handle) -> None:
    """From 1 up to one less than their count; 0 is void."""
    count = native.btf__type_cnt(types)
    assert native.btf__type_by_id(types, count - 1)
    assert failed(native.btf__type_by_id(types, count)) == errno.EINVAL
    assert (kind(types, 0), name(types, 0)) == (UNKNOWN, "")


@pytest.mark.row("btf__name_by_offset", "beyond")
def test_names_beyond_the_last(types: Handle) -> None:
    """An offset of 0 is the empty name."""
    assert text(native.btf__name_by_offset(types, 0)) is not None
    assert native.btf__name_by_offset(types, 0xFFFFFFFF) is None
    assert ctypes.get_errno() == errno.EINVAL


def test_free_of_nothing() -> None:
    """NULL is accepted."""
    native.btf__free(None)


def test_the_types_of_an_object(open_object: Open) -> None:
    """Those that clang wrote; the same pointer each time, which belongs to the object."""
    handle = open_object()
    types = native.bpf_object__btf(handle)
    assert native.bpf_object__btf(handle) == types
    assert native.btf__find_by_name_kind(types, b"xdp_md", STRUCT) > 0
    assert native.btf__find_by_name_kind(types, b"part", FUNC) > 0


def test_an_object_without_types(open_object: Open, tmp_path: Path) -> None:
    """Compiled without -g, and without a map defined by BTF."""
    target = tmp_path / "plain.bpf.o"
    bpf_cc(BPF / "plain.bpf.c", target, "-g0")
    assert native.bpf_object__btf(open_object(target)) is None
    assert native.bpf_object__btf(None) is None

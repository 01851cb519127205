"""What the pages of bpf_object__*, bpf_program__* and bpf_map__* say of libbpf's own functions."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pages.child import become_nobody, in_child, open_descriptors
from tests.pages.native import failed, native
from tests.pages.objects import Handle, Open, bpf_map, kernels_name, program, programs, text

XDP, SOCKET_FILTER, UNSPECIFIED = 6, 1, 0
FORMAT = 4001  # LIBBPF_ERRNO__FORMAT

PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


@pytest.mark.row("bpf_object__open_file", "There is no such file")
def test_open_without_a_file(open_object: Open, tmp_path: Path) -> None:
    """As from open(2)."""
    assert failed(open_object(tmp_path / "none.bpf.o")) == errno.ENOENT


@pytest.mark.row("bpf_object__open_file", "`path` is `NULL`")
@pytest.mark.row("bpf_object__open_file", "`opts` has a size")
def test_open_with_wrong_arguments(open_object: Open) -> None:
    """No path, and options that are too small or not zero at the end."""
    assert failed(native.bpf_object__open_file(None, None)) == errno.EINVAL
    assert failed(open_object(options=struct.pack("@N", 4))) == errno.EINVAL
    too_much = struct.pack("@N", 128) + bytes(119) + b"x"
    assert failed(open_object(options=too_much)) == errno.EINVAL


def test_open_something_else(open_object: Open, tmp_path: Path) -> None:
    """A file that is no ELF file, or one of another machine, has an error of libbpf's own."""
    other = tmp_path / "text"
    other.write_text("no object\n" * 10)
    assert failed(open_object(other)) == FORMAT
    assert failed(open_object(Path("/bin/sh"))) == FORMAT


def test_open_asks_nothing_of_the_kernel(open_object: Open) -> None:
    """Nobody may open an object, and look around in it."""

    def unprivileged() -> bool:
        handle = open_object()
        become_nobody()
        return len(programs(handle)) == 5

    assert in_child(unprivileged) == 1


def test_the_name_of_an_object(open_object: Open) -> None:
    """The file's, up to the first dot; the options can say otherwise."""
    assert text(native.bpf_object__name(open_object())) == "object"
    name = ctypes.create_string_buffer(b"mine")
    options = struct.pack("@NP", 16, ctypes.addressof(name))
    assert text(native.bpf_object__name(open_object(options=options))) == "mine"


@pytest.mark.row("bpf_object__load", "already been loaded")
def test_load_twice(loaded: Handle) -> None:
    """Once only, also after a load that failed."""
    assert failed(native.bpf_object__load(loaded)) == errno.EINVAL


@pytest.mark.row("bpf_object__load", "The verifier refuses")
def test_load_what_the_verifier_refuses(unloaded: Handle) -> None:
    """The whole object fails, its maps are gone, and it cannot be loaded any more."""
    native.bpf_program__set_autoload(program(unloaded, "refused"), True)
    assert failed(native.bpf_object__load(unloaded)) == errno.EACCES
    assert native.bpf_map__fd(bpf_map(unloaded, "numbers")) == -1
    assert native.bpf_program__fd(program(unloaded, "count")) == -errno.ENOENT
    native.bpf_program__set_autoload(program(unloaded, "refused"), False)
    assert failed(native.bpf_object__load(unloaded)) == errno.EINVAL


@pytest.mark.row("bpf_object__load", "no type")
def test_load_a_program_without_a_type(open_object: Open) -> None:
    """A section whose name libbpf does not know opens, and does not load."""
    assert failed(native.bpf_object__load(open_object())) == errno.EINVAL


@pytest.mark.row("bpf_object__load", "may not load")
def test_load_without_privilege(unloaded: Handle) -> None:
    """An unprivileged process."""

    def unprivileged() -> bool:
        become_nobody()
        return failed(native.bpf_object__load(unloaded)) == errno.EPERM

    assert in_child(unprivileged) == 1


def test_load_of_nothing() -> None:
    """NULL is refused, and closing it does nothing."""
    assert failed(native.bpf_object__load(None)) == errno.EINVAL
    native.bpf_object__close(None)


def test_load_prints_the_verifiers_log(unloaded: Handle) -> None:
    """At the level of warnings, through the function of libbpf_set_print."""
    said: list[bytes] = []
    vsnprintf = ctypes.CDLL(None).vsnprintf

    def note(level: int, form: bytes, arguments: int) -> int:
        text = ctypes.create_string_buffer(1 << 16)
        vsnprintf(text, ctypes.c_size_t(1 << 16), form, ctypes.c_void_p(arguments))
        if level == 0:
            said.append(text.value)
        return 0

    native.bpf_program__set_autoload(program(unloaded, "refused"), True)
    printer = PRINT(note)
    native.libbpf_set_print(printer)
    assert failed(native.bpf_object__load(unloaded)) == errno.EACCES
    native.libbpf_set_print(None)
    assert b"-- BEGIN PROG LOAD LOG --" in b"".join(said)
    assert b"invalid access to packet" in b"".join(said)


def test_programs_come_in_the_order_of_the_file(unloaded: Handle) -> None:
    """Those of a section one after the other, parts of programs not at all."""
    names = [text(native.bpf_program__name(each)) for each in programs(unloaded)]
    assert sorted(filter(None, names)) == sorted(
        ["count", "a_program_with_quite_a_long_name", "optional", "refused", "untyped"]
    )
    assert names.index("count") < names.index("a_program_with_quite_a_long_name")
    assert native.bpf_object__next_program(unloaded, programs(unloaded)[-1]) is None


def test_a_program_of_another_object(open_object: Open) -> None:
    """Going on from it is refused."""
    first, second = open_object(), open_object()
    assert failed(native.bpf_object__next_program(second, programs(first)[0])) == errno.EINVAL


def test_names_sections_and_types(unloaded: Handle) -> None:
    """The function's whole name, the section's without `?`, and the type that it implies."""
    seen = {
        text(native.bpf_program__name(each)): (
            text(native.bpf_program__section_name(each)),
            native.bpf_program__type(each),
        )
        for each in programs(unloaded)
    }
    assert seen == {
        "count": ("xdp", XDP),
        "a_program_with_quite_a_long_name": ("socket", SOCKET_FILTER),
        "optional": ("xdp", XDP),
        "refused": ("xdp", XDP),
        "untyped": ("mine", UNSPECIFIED),
    }


def test_the_kernel_keeps_15_characters(loaded: Handle) -> None:
    """Of the names of programs and maps; libbpf has the whole name."""
    long = program(loaded, "a_program_with_quite_a_long_name")
    longest = bpf_map(loaded, "a_map_with_quite_a_long_name")
    assert text(native.bpf_map__name(longest)) == "a_map_with_quite_a_long_name"
    assert kernels_name(native.bpf_program__fd(long), 64) == b"a_program_with_"
    assert kernels_name(native.bpf_map__fd(longest), 24) == b"a_map_with_quit"


@pytest.mark.row("bpf_object__find_program_by_name", "no program of this name")
def test_find_a_program(unloaded: Handle) -> None:
    """By the whole name of its function; parts of programs are not found."""
    assert program(unloaded, "count") in programs(unloaded)
    assert failed(program(unloaded, "counts")) == errno.ENOENT
    assert failed(program(unloaded, "a_program_with_")) == errno.ENOENT
    assert failed(program(unloaded, "part")) == errno.ENOENT


@pytest.mark.row("bpf_object__find_map_by_name", "no map of this name")
def test_find_a_map(unloaded: Handle) -> None:
    """By its name in C; a map of global data by the name of its section, or its own."""
    assert bpf_map(unloaded, "numbers")
    assert failed(bpf_map(unloaded, "number")) == errno.ENOENT
    data = bpf_map(unloaded, ".data")
    assert text(native.bpf_map__name(data)) == "object.data"
    assert bpf_map(unloaded, "object.data") == data


def test_find_a_maps_descriptor(loaded: Handle) -> None:
    """The same as from the map."""
    fd = native.bpf_map__fd(bpf_map(loaded, "numbers"))
    assert native.bpf_object__find_map_fd_by_name(loaded, b"numbers") == fd
    assert kernels_name(fd, 24) == b"numbers"


@pytest.mark.row("bpf_object__find_map_fd_by_name", "no map of this name")
def test_find_the_descriptor_of_no_map(unloaded: Handle) -> None:
    """EINVAL, not the ENOENT of finding the map; -1 for a map that is not loaded."""
    assert failed(native.bpf_object__find_map_fd_by_name(unloaded, b"none")) == errno.EINVAL
    assert native.bpf_object__find_map_fd_by_name(unloaded, b"numbers") == -1


@pytest.mark.row("bpf_program__fd", "is not loaded")
@pytest.mark.row("bpf_program__fd", "`prog` is `NULL`")
def test_the_descriptor_of_a_program(unloaded: Handle) -> None:
    """There is one from the load on, but not for a program that was left out."""
    assert failed(native.bpf_program__fd(program(unloaded, "count"))) == errno.ENOENT
    assert failed(native.bpf_program__fd(None)) == errno.EINVAL
    assert native.bpf_object__load(unloaded) == 0
    assert kernels_name(native.bpf_program__fd(program(unloaded, "count")), 64) == b"count"
    assert failed(native.bpf_program__fd(program(unloaded, "optional"))) == errno.ENOENT


@pytest.mark.row("bpf_map__fd", "`map` is `NULL`")
def test_the_descriptor_of_a_map(unloaded: Handle) -> None:
    """There is one from the load on."""
    assert native.bpf_map__fd(bpf_map(unloaded, "numbers")) == -1
    assert failed(native.bpf_map__fd(None)) == errno.EINVAL
    assert native.bpf_object__load(unloaded) == 0
    assert native.bpf_map__fd(bpf_map(unloaded, "numbers")) >= 0
    assert native.bpf_map__name(None) is None


def test_close_closes_the_descriptors(compile_bpf: Callable[[str], Path]) -> None:
    """Of programs and maps; a duplicate keeps the map alive, and its content."""
    before = open_descriptors()
    handle = native.bpf_object__open_file(os.fsencode(compile_bpf("object")), None)
    native.bpf_program__set_autoload(program(handle, "untyped"), False)
    assert native.bpf_object__load(handle) == 0
    assert open_descriptors() > before
    kept = os.dup(native.bpf_map__fd(bpf_map(handle, "numbers")))
    key, value = struct.pack("=I", 1), struct.pack("=Q", 5)
    assert native.bpf_map_update_elem(kept, key, value, 0) == 0
    native.bpf_object__close(handle)
    assert open_descriptors() == before + 1
    read = ctypes.c_uint64()
    assert native.bpf_map_lookup_elem(kept, key, ctypes.byref(read)) == 0
    assert read.value == 5
    os.close(kept)

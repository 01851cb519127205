"""Objects that libbpf itself opens and loads, and what finds programs and maps in them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pages.native import native

Handle = int | None
Open = Callable[..., Handle]


def text(pointer: int | None) -> str | None:
    """Read a string of libbpf's."""
    return ctypes.string_at(pointer).decode() if pointer else None


@pytest.fixture
def quiet() -> Iterator[None]:
    """Let libbpf print nothing, and then what it printed before."""
    before = native.libbpf_set_print(None)
    yield
    native.libbpf_set_print(before)


@pytest.fixture
def open_object(compile_bpf: Callable[[str], Path], quiet: None) -> Iterator[Open]:
    """Opens tests/bpf/object.bpf.c, or a file; closes it at the end."""
    opened: list[int] = []

    def call(path: Path | None = None, options: bytes | None = None) -> Handle:
        file = os.fsencode(path or compile_bpf("object"))
        handle: Handle = native.bpf_object__open_file(file, options)
        if handle:
            opened.append(handle)
        return handle

    yield call
    for handle in opened:
        native.bpf_object__close(handle)


@pytest.fixture
def unloaded(open_object: Open) -> Handle:
    """Open the object, without the program of no type, which cannot be loaded."""
    handle = open_object()
    untyped = native.bpf_object__find_program_by_name(handle, b"untyped")
    assert native.bpf_program__set_autoload(untyped, False) == 0
    return handle


@pytest.fixture
def loaded(unloaded: Handle) -> Handle:
    """Load the object."""
    assert native.bpf_object__load(unloaded) == 0
    return unloaded


def programs(handle: Handle) -> list[Handle]:
    """Walk the programs."""
    found = []
    program = native.bpf_object__next_program(handle, None)
    while program:
        found.append(program)
        program = native.bpf_object__next_program(handle, program)
    return found


def program(handle: Handle, name: str) -> Handle:
    """Find a program."""
    found: Handle = native.bpf_object__find_program_by_name(handle, name.encode())
    return found


def bpf_map(handle: Handle, name: str) -> Handle:
    """Find a map."""
    found: Handle = native.bpf_object__find_map_by_name(handle, name.encode())
    return found


def kernels_name(fd: int, offset: int) -> bytes:
    """Ask the kernel for a name: in struct bpf_prog_info or bpf_map_info, at the offset."""
    info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
    assert native.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0
    return info.raw[offset : offset + 16].rstrip(b"\0")

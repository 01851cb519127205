"""What the pages of iterators say of libbpf's functions and of the helpers."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb
from tests.pages.native import failed, native

pytestmark = pytest.mark.kernel
Compile = Callable[..., Path]


class LinkInfo(ctypes.Union):
    """union bpf_iter_link_info."""

    _fields_ = (("map_fd", ctypes.c_uint32), ("room", ctypes.c_uint64 * 2))


class Options(ctypes.Structure):
    """struct bpf_iter_attach_opts."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("link_info", ctypes.POINTER(LinkInfo)),
        ("link_info_len", ctypes.c_uint32),
    )


class Iterators:
    """The object of iterate.bpf.c, as libbpf opens it."""

    def __init__(self, path: Path) -> None:
        self.object = native.bpf_object__open_file(os.fsencode(path), None)
        assert native.bpf_object__load(self.object) == 0
        self.map = native.bpf_object__find_map_fd_by_name(self.object, b"pages")

    def attach(self, program: bytes, map_fd: int | None = None) -> int | None:
        """Attach a program to a map."""
        info = LinkInfo(map_fd=self.map if map_fd is None else map_fd)
        size = ctypes.sizeof(LinkInfo)
        options = Options(ctypes.sizeof(Options), ctypes.pointer(info), size)
        found = native.bpf_object__find_program_by_name(self.object, program)
        link: int | None = native.bpf_program__attach_iter(found, ctypes.byref(options))
        return link

    def opened(self, program: bytes) -> int:
        """Attach a program and make a file of the link, which is gone then."""
        link = self.attach(program)
        file: int = native.bpf_iter_create(native.bpf_link__fd(link))
        assert native.bpf_link__destroy(link) == 0
        return file


@pytest.fixture
def iterators(compile_bpf: Compile) -> Iterator[Iterators]:
    """Load the object, and close it at the end."""
    before = native.libbpf_set_print(None)
    loaded = Iterators(compile_bpf("iterate"))
    yield loaded
    native.bpf_object__close(loaded.object)
    native.libbpf_set_print(before)


@pytest.mark.row("bpf_program__attach_iter", "needs a map")
def test_an_iterator_of_elements_needs_a_map(iterators: Iterators) -> None:
    """Without options, or with a descriptor that is no map's, there is no link."""
    program = native.bpf_object__find_program_by_name(iterators.object, b"keys")
    assert failed(native.bpf_program__attach_iter(program, None)) == errno.EBADF
    assert failed(iterators.attach(b"keys", 999)) == errno.EBADF


@pytest.mark.row("bpf_program__attach_iter", "another kind")
def test_another_program_is_no_iterator(iterators: Iterators) -> None:
    """A program for XDP cannot be attached in this way."""
    assert failed(iterators.attach(b"other")) == errno.EINVAL


@pytest.mark.row("bpf_iter_create", "not open")
@pytest.mark.row("bpf_iter_create", "not a link")
def test_a_file_is_made_of_a_link(iterators: Iterators) -> None:
    """Neither of a closed descriptor nor of a map."""
    assert failed(native.bpf_iter_create(-1)) == errno.EBADF
    assert failed(native.bpf_iter_create(iterators.map)) == errno.EINVAL


def test_each_file_starts_at_the_first_element(iterators: Iterators) -> None:
    """Two files of one link, which is gone, give the same; a read takes what its buffer holds."""
    link = iterators.attach(b"keys")
    files = [native.bpf_iter_create(native.bpf_link__fd(link)) for _ in range(2)]
    assert native.bpf_link__destroy(link) == 0
    first = [os.read(files[0], 3)]
    while piece := os.read(files[0], 100):
        first.append(piece)
    assert len(first[0]) == 3
    assert b"".join(first) == os.read(files[1], 100) == bytes([0, 0, 0, 0, 1, 0, 0, 0])
    for file in files:
        os.close(file)


def test_no_link_may_be_destroyed() -> None:
    """NULL does nothing."""
    assert native.bpf_link__destroy(None) == 0


BPF_TRACE_ITER = 28


class LinkOptions(ctypes.Structure):
    """struct bpf_link_create_opts, as far as iterators go."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("iter_info", ctypes.POINTER(LinkInfo)),
        ("iter_info_len", ctypes.c_uint32),
    )


def read_with(path: Path, program: str) -> tuple[int | None, dict[str, int]]:
    """Read an iterator once; return errno, None if it did not fail, and the globals."""
    with userrb.BpfObject(path) as bpf:
        size = ctypes.sizeof(LinkInfo)
        info = LinkInfo(map_fd=bpf.maps["pages"].fileno())
        link = native.bpf_link_create(
            bpf.programs[program].fileno(),
            0,
            BPF_TRACE_ITER,
            ctypes.byref(LinkOptions(ctypes.sizeof(LinkOptions), 0, ctypes.pointer(info), size)),
        )
        file = native.bpf_iter_create(link)
        code = None
        try:
            os.read(file, 100)
        except OSError as error:
            code = error.errno
        os.close(file)
        os.close(link)
        return code, {name: bpf.globals[name] for name in ("written", "fits", "formatted")}


@pytest.mark.row("bpf_seq_write", "do not fit")
def test_bytes_that_do_not_fit_are_refused(compile_bpf: Compile) -> None:
    """The kernel has room for 7 times 4,096 bytes; more fail, and the read with E2BIG."""
    code, seen = read_with(compile_bpf("iterate"), "too_much")
    assert (code, seen["written"], seen["fits"]) == (errno.E2BIG, -errno.EOVERFLOW, 7)


@pytest.mark.row("bpf_seq_printf", "does not fit")
def test_a_text_that_does_not_fit_is_refused(compile_bpf: Compile) -> None:
    """A text of 36,000 characters fails, and the read with E2BIG."""
    code, seen = read_with(compile_bpf("iterate"), "too_long")
    assert (code, seen["formatted"]) == (errno.E2BIG, -errno.EOVERFLOW)


@pytest.mark.row("bpf_seq_printf", "more values")
def test_a_format_needs_its_values(compile_bpf: Compile) -> None:
    """Two numbers and one value fail while the program runs; the read has nothing."""
    code, seen = read_with(compile_bpf("iterate"), "wrong_format")
    assert (code, seen["formatted"]) == (None, -errno.EINVAL)

"""What the pages of libbpf_set_print, libbpf_get_error and libbpf_strerror say."""

from __future__ import annotations

import ctypes
import errno
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.native import failed, native
from tests.pages.objects import Open

PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
WARN, INFO, DEBUG = 0, 1, 2


@pytest.fixture
def calls(quiet: None) -> Iterator[list[tuple[int, int]]]:
    """Notes the levels of messages, and the threads in which they come."""
    noted: list[tuple[int, int]] = []

    def note(level: int, form: bytes, arguments: int) -> int:
        noted.append((level, threading.get_ident()))
        return -1

    function = PRINT(note)
    assert native.libbpf_set_print(function) is None
    yield noted
    assert native.libbpf_set_print(None) == ctypes.cast(function, ctypes.c_void_p).value


def test_the_function_gets_all_levels(calls: list[tuple[int, int]], open_object: Open) -> None:
    """Also those for debugging, which are not printed otherwise; what it returns means nothing."""
    assert open_object()
    assert {level for level, _ in calls} == {DEBUG}
    calls.clear()
    assert open_object(Path("/bin/sh")) is None
    assert WARN in {level for level, _ in calls}


def test_the_function_is_called_where_libbpf_is(calls: list[tuple[int, int]]) -> None:
    """In the thread that made the call; one function serves all threads."""
    thread = threading.Thread(target=native.ring_buffer__new, args=(-1, None, None, None))
    thread.start()
    identity = thread.ident
    thread.join()
    assert calls == [(WARN, identity)]


@pytest.mark.parametrize(("stop", "lines"), [("", 2), ("lib.libbpf_set_print(None)", 0)])
def test_without_a_function(stop: str, lines: int) -> None:
    """Warnings go to standard error, debugging does not; with NULL nothing does."""
    program = f"import ctypes; lib = ctypes.CDLL('libbpf.so.1'); {stop}\nfor number in 1, 2:\n"
    program += "    lib.ring_buffer__new(-number, None, None, None)\n"
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    assert done.stderr.count("libbpf: ringbuf:") == done.stderr.count("\n") == lines
    assert done.stdout == ""


def test_the_error_of_a_pointer(open_object: Open) -> None:
    """NULL is whatever errno has; any other pointer is no error; the old way is still heard."""
    assert native.libbpf_get_error(open_object()) == 0
    assert open_object(Path("none")) is None
    ctypes.set_errno(errno.ENOENT)
    assert native.libbpf_get_error(None) == -errno.ENOENT
    ctypes.set_errno(errno.EAGAIN)
    assert native.libbpf_get_error(None) == -errno.EAGAIN
    assert failed(native.libbpf_get_error((1 << 64) - errno.EPERM)) == errno.EPERM


def words(number: int, size: int = 80) -> tuple[int, str]:
    """Ask libbpf for words."""
    text = ctypes.create_string_buffer(size)
    result = native.libbpf_strerror(number, text, size)
    return result, text.value.decode()


def test_words_for_errors() -> None:
    """Of errno and of libbpf's own, negative or not."""
    assert words(errno.ENOENT) == words(-errno.ENOENT) == (0, "No such file or directory")
    assert words(4001) == words(-4001) == (0, "BPF object format invalid")


@pytest.mark.row("libbpf_strerror", "`buf` is `NULL`")
def test_words_without_room() -> None:
    """NULL, and no bytes."""
    assert failed(native.libbpf_strerror(1, None, 80)) == errno.EINVAL
    assert failed(native.libbpf_strerror(1, b"", 0)) == errno.EINVAL


@pytest.mark.row("libbpf_strerror", "do not fit")
def test_words_that_do_not_fit() -> None:
    """What fits is there, and ends with a zero byte."""
    result, text = words(4001, size=4)
    assert failed(result) == errno.ERANGE
    assert text == "BPF"


@pytest.mark.row("libbpf_strerror", "does not know")
def test_words_for_a_number_that_libbpf_does_not_know() -> None:
    """There are words all the same."""
    result, text = words(4999)
    assert failed(result) == errno.ENOENT
    assert text == "Unknown libbpf error 4999"


def test_numbers_below_4000_are_strerror_rs() -> None:
    """And so is what is returned then: positive."""
    assert words(errno.ENOENT, size=4) == (errno.ERANGE, "No ")
    assert words(3999) == (errno.EINVAL, "Unknown error 3999")

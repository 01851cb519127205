"""What the pages of bpf_prog_load and bpf_prog_test_run_opts say of libbpf's own functions."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from collections.abc import Callable, Iterator

import pytest

from tests.pages.child import become_nobody, in_child
from tests.pages.native import failed, native

pytestmark = pytest.mark.kernel

SOCKET_FILTER, TRACEPOINT, XDP = 1, 5, 6
EXIT = struct.pack("=BBhi", 0x95, 0, 0, 0)
RETURN_2 = struct.pack("=BBhi", 0xB7, 0, 0, 2) + EXIT
RETURN_MINUS_1 = struct.pack("=BBhi", 0xB7, 0, 0, -1) + EXIT
# Reads 8 bytes at address 0 of the kernel's: bpf_probe_read_kernel is for GPL programs only.
READ = (
    struct.pack("=BBhi", 0xBF, 0xA1, 0, 0)
    + struct.pack("=BBhi", 0x07, 1, 0, -8)
    + struct.pack("=BBhi", 0xB7, 2, 0, 8)
    + struct.pack("=BBhi", 0xB7, 3, 0, 0)
    + struct.pack("=BBhi", 0x85, 0, 0, 113)
    + EXIT
)
# Shortens the packet by a byte: a call of bpf_xdp_adjust_tail.
SHORTEN = (
    struct.pack("=BBhi", 0xB7, 2, 0, -1)
    + struct.pack("=BBhi", 0x85, 0, 0, 65)
    + struct.pack("=BBhi", 0xB7, 0, 0, 2)
    + EXIT
)
ENOTSUPP = 524  # the kernel's own, which user space has no name for

Load = Callable[..., int]


class LoadOptions(ctypes.Structure):
    """struct bpf_prog_load_opts of libbpf 1.1."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("numbers", ctypes.c_uint32 * 8),
        ("fd_array", ctypes.c_void_p),
        ("func_info", ctypes.c_void_p),
        ("func_counts", ctypes.c_uint32 * 2),
        ("line_info", ctypes.c_void_p),
        ("line_counts", ctypes.c_uint32 * 2),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_void_p),
    )


class RunOptions(ctypes.Structure):
    """struct bpf_test_run_opts."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_void_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


def log_options(log: ctypes.Array[ctypes.c_char], level: int) -> LoadOptions:
    """Ask for the verifier's log."""
    options = LoadOptions(sz=ctypes.sizeof(LoadOptions), log_level=level, log_size=len(log))
    options.log_buf = ctypes.addressof(log)
    return options


@pytest.fixture
def load() -> Iterator[Load]:
    """Loads instructions, as an XDP program unless told otherwise; closes it at the end."""
    opened: list[int] = []

    def call(
        code: bytes,
        kind: int = XDP,
        name: bytes = b"tested",
        license: bytes = b"GPL",  # noqa: A002 - libbpf's name
        options: LoadOptions | bytes | None = None,
    ) -> int:
        pointer = ctypes.byref(options) if isinstance(options, LoadOptions) else options
        fd: int = native.bpf_prog_load(kind, name, license, code, len(code) // 8, pointer)
        if fd >= 0:
            opened.append(fd)
        return fd

    yield call
    for fd in opened:
        os.close(fd)


@pytest.mark.row("bpf_prog_load", "The verifier refuses")
def test_what_the_verifier_refuses(load: Load) -> None:
    """With a buffer, its log says why, also if no level was asked for."""
    assert failed(load(EXIT)) == errno.EACCES
    for level in (0, 1):
        log = ctypes.create_string_buffer(4096)
        assert failed(load(EXIT, options=log_options(log, level))) == errno.EACCES
        assert b"R0 !read_ok" in log.value


def test_the_log_of_what_is_accepted(load: Load) -> None:
    """Is written at level 1, and not at level 0; at level 2 there is more of it."""
    log = ctypes.create_string_buffer(4096)
    assert load(RETURN_2, options=log_options(log, 0)) >= 0
    assert log.value == b""
    assert load(RETURN_2, options=log_options(log, 1)) >= 0
    assert b"processed 2 insns" in log.value
    more = ctypes.create_string_buffer(4096)
    assert load(RETURN_2, options=log_options(more, 2)) >= 0
    assert len(more.value) > len(log.value)


@pytest.mark.row("bpf_prog_load", "The log does not fit")
def test_a_log_that_does_not_fit(load: Load) -> None:
    """The program is not loaded, though nothing is wrong with it."""
    log = ctypes.create_string_buffer(128)
    assert failed(load(RETURN_2[:8] * 40 + EXIT, options=log_options(log, 2))) == errno.ENOSPC


@pytest.mark.row("bpf_prog_load", "The license")
def test_a_helper_for_gpl_programs_only(load: Load) -> None:
    """The license decides about some helpers."""
    assert failed(load(READ, license=b"Proprietary")) == errno.EINVAL
    assert load(READ, license=b"Dual MIT/GPL") >= 0


@pytest.mark.row("bpf_prog_load", "there is no such type")
def test_an_unknown_type(load: Load) -> None:
    """The kernel does not know it."""
    assert failed(load(RETURN_2, kind=9999)) == errno.EINVAL


@pytest.mark.row("bpf_prog_load", "`opts` has a size")
@pytest.mark.row("bpf_prog_load", "one of `log_buf` and `log_size`")
def test_wrong_options(load: Load) -> None:
    """The size, bytes that are not known, and a log of which only half is said."""
    assert failed(load(RETURN_2, options=struct.pack("@N", 4))) == errno.EINVAL
    too_much = struct.pack("@N", 256) + bytes(247) + b"x"
    assert failed(load(RETURN_2, options=too_much)) == errno.EINVAL
    half = LoadOptions(sz=ctypes.sizeof(LoadOptions), log_size=128)
    assert failed(load(RETURN_2, options=half)) == errno.EINVAL


@pytest.mark.row("bpf_prog_load", "`prog_name` has")
def test_names(load: Load) -> None:
    """The library keeps 15 characters; the kernel takes letters, digits, `_` and `.`."""
    assert failed(load(RETURN_2, name=b"a name")) == errno.EINVAL
    fd = load(RETURN_2, name=b"a_program_with_quite_a_long_name")
    info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
    assert native.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0
    assert info.raw[64:80] == b"a_program_with_\0"
    assert load(RETURN_2, name=None) >= 0


@pytest.mark.row("bpf_prog_load", "`insn_cnt` is 0")
def test_no_instructions(load: Load) -> None:
    """A program has at least one."""
    assert failed(load(b"")) == errno.E2BIG


@pytest.mark.row("bpf_prog_load", "may not load")
def test_without_privilege(load: Load) -> None:
    """An XDP program needs CAP_BPF and CAP_NET_ADMIN, or root."""

    def unprivileged() -> bool:
        become_nobody()
        return failed(load(RETURN_2)) == errno.EPERM

    assert in_child(unprivileged) == 1


def run(fd: int, data: bytes | None, room: int = 0, **more: int) -> tuple[int, RunOptions, bytes]:
    """Run a program on data; returns what the call and the program returned, and the data."""
    out = ctypes.create_string_buffer(room or 1)
    options = RunOptions(sz=ctypes.sizeof(RunOptions), **more)
    if data is not None:
        given = ctypes.create_string_buffer(data, len(data))
        options.data_in, options.data_size_in = ctypes.addressof(given), len(data)
    if room:
        options.data_out, options.data_size_out = ctypes.addressof(out), room
    result = native.bpf_prog_test_run_opts(fd, ctypes.byref(options))
    return result, options, out.raw[: options.data_size_out]


def test_what_the_program_returns(load: Load) -> None:
    """Its 32 bits are unsigned in the options."""
    result, options, _ = run(load(RETURN_MINUS_1), bytes(20))
    assert (result, options.retval) == (0, 0xFFFFFFFF)


def test_what_the_program_makes_of_the_data(load: Load) -> None:
    """A copy of the data goes to data_out; the size is told without it as well."""
    result, options, out = run(load(SHORTEN), b"a packet of 20 bytes", room=64)
    assert (result, options.retval, out) == (0, 2, b"a packet of 20 byte")
    result, options, _ = run(load(SHORTEN), b"a packet of 20 bytes")
    assert (result, options.data_size_out) == (0, 19)


def test_repetitions(load: Load) -> None:
    """Each works on what the one before left; the duration is that of one, in nanoseconds."""
    result, options, out = run(load(SHORTEN), b"a packet of 20 bytes", room=64, repeat=3)
    assert (result, out) == (0, b"a packet of 20 by")
    assert options.duration < 1_000_000_000


@pytest.mark.row("bpf_prog_test_run_opts", "`data_out` has no room")
def test_no_room_for_the_data(load: Load) -> None:
    """The beginning is there, and how much room there must be."""
    result, options, out = run(load(RETURN_2), b"a packet of 20 bytes", room=8)
    assert failed(result) == errno.ENOSPC
    assert options.data_size_out == 20
    assert out == b"a packet"


@pytest.mark.row("bpf_prog_test_run_opts", "`prog_fd` is not open")
@pytest.mark.row("bpf_prog_test_run_opts", "`prog_fd` is not a program")
def test_no_program(load: Load) -> None:
    """A closed descriptor, and another one."""
    assert failed(run(-1, bytes(20))[0]) == errno.EBADF
    assert failed(run(0, bytes(20))[0]) == errno.EINVAL


@pytest.mark.row("bpf_prog_test_run_opts", "14 bytes")
def test_less_than_an_ethernet_header(load: Load) -> None:
    """Also no data at all, and no options."""
    for kind in (XDP, SOCKET_FILTER):
        fd = load(RETURN_2, kind=kind)
        assert failed(run(fd, bytes(13))[0]) == errno.EINVAL
        assert failed(native.bpf_prog_test_run_opts(fd, None)) == errno.EINVAL
        assert run(fd, bytes(20))[0] == 0


@pytest.mark.row("bpf_prog_test_run_opts", "`opts` has a size")
def test_wrong_run_options(load: Load) -> None:
    """A size less than 8."""
    options = struct.pack("@N", 4)
    assert failed(native.bpf_prog_test_run_opts(load(RETURN_2), options)) == errno.EINVAL


def test_a_type_that_cannot_be_run(load: Load) -> None:
    """524, which errno.h does not have."""
    assert failed(run(load(RETURN_2, kind=TRACEPOINT), bytes(20))[0]) == ENOTSUPP


@pytest.mark.row("bpf_prog_test_run_opts", "A signal")
def test_a_signal_ends_the_repetitions(load: Load) -> None:
    """Many repetitions are interrupted."""
    fd = load(RETURN_2)

    def repeat() -> bool:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        return failed(run(fd, bytes(20), repeat=(1 << 31) - 1)[0]) == errno.EINTR

    assert in_child(repeat) == 1

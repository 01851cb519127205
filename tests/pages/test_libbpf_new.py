"""What the page of user_ring_buffer__new says of libbpf's own function."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb

BPF_F_RDONLY, BPF_F_WRONLY = 1 << 3, 1 << 4
BIG = 1 << 26

Open = Callable[..., int]


@pytest.fixture
def new(libbpf: ctypes.CDLL) -> Iterator[Open]:
    """Opens a ring; returns errno, 0 if it could."""
    opened: list[int] = []

    def call(fd: int, options: bytes | None = None) -> int:
        ctypes.set_errno(0)
        handle = libbpf.user_ring_buffer__new(fd, options)
        if handle is None:
            return ctypes.get_errno()
        opened.append(handle)
        return 0

    yield call
    for handle in opened:
        libbpf.user_ring_buffer__free(handle)


def in_child(call: Callable[[], int]) -> int:
    """Returns what the call returns in a process of its own."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            status = call()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.row("user_ring_buffer__new", "`map_fd` is not open")
def test_no_descriptor_is_ebadfd(new: Open) -> None:
    """F14: a descriptor that is not open is EBADFD, not EBADF."""
    assert new(-1) == errno.EBADFD
    assert new(1 << 20) == errno.EBADFD


@pytest.mark.row("user_ring_buffer__new", "a map of another type")
def test_what_is_no_user_ring_buffer_is_einval(bpf: userrb.BpfObject, new: Open) -> None:
    """A map of another type, a program and a file are EINVAL."""
    assert new(bpf.maps["other"].fileno()) == errno.EINVAL
    assert new(bpf.programs["drain_on_fork"].fileno()) == errno.EINVAL
    with tempfile.TemporaryFile() as file:
        assert new(file.fileno()) == errno.EINVAL


@pytest.mark.row("user_ring_buffer__new", "`opts` has a size less than 8")
def test_options_are_checked(bpf: userrb.BpfObject, new: Open) -> None:
    """NULL or a zeroed structure with its size will do; a wrong size or unknown content will not.

    (`sz` is 8 bytes, and nothing follows it.)
    """
    fd = bpf.maps["samples"].fileno()
    assert new(fd, (8).to_bytes(8, sys.byteorder)) == 0
    assert new(fd, (16).to_bytes(8, sys.byteorder) + bytes(8)) == 0
    assert new(fd, (4).to_bytes(8, sys.byteorder)) == errno.EINVAL
    assert new(fd, (16).to_bytes(8, sys.byteorder) + b"\1" * 8) == errno.EINVAL


@pytest.mark.row("user_ring_buffer__new", "The map is frozen")
def test_a_frozen_map_is_eperm(libbpf: ctypes.CDLL, bpf: userrb.BpfObject, new: Open) -> None:
    """EPERM comes after bpf_map_freeze; while a ring is open, freezing is EBUSY."""
    fd = bpf.maps["samples"].fileno()
    assert libbpf.bpf_map_freeze(fd) == 0
    assert new(fd) == errno.EPERM
    roomy = bpf.maps["roomy"].fileno()
    assert new(roomy) == 0
    assert libbpf.bpf_map_freeze(roomy) == -errno.EBUSY


@pytest.mark.row("user_ring_buffer__new", "no descriptor left")
def test_no_descriptor_left_is_emfile(bpf: userrb.BpfObject, new: Open) -> None:
    """A ring needs a descriptor of its own; EMFILE where the limit is reached."""
    fd = bpf.maps["samples"].fileno()

    def limited() -> int:
        limit = len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - its own descriptor counts
        while True:
            try:
                limit = max(limit, os.dup(fd) + 1)
            except OSError:
                return new(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    assert in_child(limited) == errno.EMFILE


@pytest.mark.row("user_ring_buffer__new", "The address space has no room")
def test_no_address_space_is_enomem(compile_bpf: Callable[[str], Path], new: Open) -> None:
    """The ring is mapped at once, twice in a row; ENOMEM where that does not fit."""
    with userrb.BpfObject(compile_bpf("large")) as bpf:
        fd = bpf.maps["samples"].fileno()

        def limited(room: int) -> Callable[[], int]:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * os.sysconf("SC_PAGE_SIZE") + room

            def call() -> int:
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                return new(fd)

            return call

        assert in_child(limited(BIG + (BIG >> 1))) == errno.ENOMEM
        assert in_child(limited(3 * BIG)) == 0


@pytest.mark.parametrize("flags", [BPF_F_RDONLY, BPF_F_WRONLY], ids=["read-only", "write-only"])
def test_half_a_descriptor_does_not_do(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject, new: Open, flags: int
) -> None:
    """A pinned map that was opened for one direction only cannot be produced into."""

    class Options(ctypes.Structure):
        _fields_ = (("sz", ctypes.c_size_t), ("file_flags", ctypes.c_uint32))

    options = Options(ctypes.sizeof(Options), flags)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)
        try:
            bpf.maps["samples"].pin(f"{folder}/samples")
            fd = libbpf.bpf_obj_get_opts(f"{folder}/samples".encode(), ctypes.byref(options))
            assert fd >= 0
            assert new(fd) in (errno.EINVAL, errno.EACCES, errno.EPERM)
            os.close(fd)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_an_inherited_descriptor_needs_no_privilege(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject, drain: Callable[[], int]
) -> None:
    """A process without any capability opens the ring on a descriptor that it was given."""
    fd = bpf.maps["samples"].fileno()

    def unprivileged() -> int:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        handle = libbpf.user_ring_buffer__new(fd, None)
        sample = libbpf.user_ring_buffer__reserve(handle, 8)
        libbpf.user_ring_buffer__submit(handle, sample)
        return 0 if sample else 1

    assert in_child(unprivileged) == 0
    assert drain() == 1


def test_two_handles_share_the_ring(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject, handle: int, drain: Callable[[], int]
) -> None:
    """F12: a second handle goes on where the first one is, in the same memory of the kernel."""
    second = libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None)
    for ring in (handle, second, handle):
        libbpf.user_ring_buffer__submit(ring, libbpf.user_ring_buffer__reserve(ring, 8))
    assert drain() == 3
    libbpf.user_ring_buffer__free(second)


def test_a_forked_child_can_use_the_handle(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """F12: what a child submits through the handle that it inherited is drained."""

    def child() -> int:
        libbpf.user_ring_buffer__submit(handle, libbpf.user_ring_buffer__reserve(handle, 8))
        return 0

    assert in_child(child) == 0
    assert drain() == 1


def test_the_descriptor_may_be_closed(
    libbpf: ctypes.CDLL, compile_bpf: Callable[[str], Path]
) -> None:
    """The ring goes on without the descriptor that it was opened on, its waiting included."""
    with userrb.BpfObject(compile_bpf("drain")) as bpf:
        fd = os.dup(bpf.maps["samples"].fileno())
        handle = libbpf.user_ring_buffer__new(fd, None)
        os.close(fd)
        for _ in range(4):
            sample = libbpf.user_ring_buffer__reserve(handle, 1016)
            libbpf.user_ring_buffer__submit(handle, sample)
        assert libbpf.user_ring_buffer__reserve_blocking(handle, 1016, 0) is None
        assert bpf.programs["drain"].test_run().retval == 4
        assert libbpf.user_ring_buffer__reserve_blocking(handle, 1016, 1000)
        libbpf.user_ring_buffer__free(handle)


def test_a_pinned_map_outlives_the_process(compile_bpf: Callable[[str], Path]) -> None:
    """What was submitted is still there when the process that made and pinned the map is gone."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)
        try:

            def load_and_pin() -> int:
                bpf = userrb.BpfObject(compile_bpf("drain"))
                bpf.maps["samples"].pin(f"{folder}/samples")
                userrb.UserRingBuffer(bpf.maps["samples"]).write(b"8 bytes.")
                return 0

            assert in_child(load_and_pin) == 0
            with userrb.UserRingBuffer(f"{folder}/samples") as ring:
                assert (ring.consumer_position, ring.producer_position) == (0, 16)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_it_says_on_standard_error_what_it_refuses() -> None:
    """F14: without libbpf_set_print, a refusal prints a line."""
    program = (
        "import ctypes\n"
        "lib = ctypes.CDLL('libbpf.so.1')\n"
        "lib.user_ring_buffer__new(-1, None)\n"
        "lib.libbpf_set_print(None)\n"
        "lib.user_ring_buffer__new(-2, None)\n"
    )
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    assert done.stderr.startswith("libbpf: user ringbuf: failed to get map info for fd=-1")
    assert done.stderr.count("\n") == 1

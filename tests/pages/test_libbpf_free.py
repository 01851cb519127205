"""What the page of user_ring_buffer__free says of libbpf's own function."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import userrb


def test_null_is_allowed(libbpf: ctypes.CDLL) -> None:
    """Freeing NULL does nothing."""
    libbpf.user_ring_buffer__free(None)


def open_descriptors() -> int:
    """Counts the descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_it_closes_its_own_descriptor_and_leaves_the_maps(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject
) -> None:
    """The ring's epoll instance is closed; the map's descriptor is not."""
    fd = bpf.maps["samples"].fileno()
    before = open_descriptors()
    handle = libbpf.user_ring_buffer__new(fd, None)
    assert open_descriptors() == before + 1
    libbpf.user_ring_buffer__free(handle)
    assert open_descriptors() == before
    os.fstat(fd)


def test_what_was_submitted_is_still_drained(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject, drain: Callable[[], int]
) -> None:
    """Samples submitted before the ring is freed stay in the map."""
    handle = libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None)
    for _ in range(3):
        sample = libbpf.user_ring_buffer__reserve(handle, 8)
        libbpf.user_ring_buffer__submit(handle, sample)
    libbpf.user_ring_buffer__free(handle)
    assert drain() == 3


def test_a_reserved_sample_blocks_every_other_handle(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject, handle: int, drain: Callable[[], int]
) -> None:
    """F8: after a free with a sample reserved, nothing is drained, and the ring fills up."""
    other = libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None)
    assert libbpf.user_ring_buffer__reserve(other, 1016)
    libbpf.user_ring_buffer__free(other)
    submitted = 0
    while sample := libbpf.user_ring_buffer__reserve(handle, 1016):
        libbpf.user_ring_buffer__submit(handle, sample)
        submitted += 1
    assert submitted == 3
    assert drain() == 0
    assert libbpf.user_ring_buffer__reserve(handle, 1016) is None


def test_a_sample_is_gone_with_its_ring(bpf: userrb.BpfObject) -> None:
    """A pointer to a sample is invalid after the free: writing to it kills the process."""
    program = (
        "import ctypes, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "lib = ctypes.CDLL('libbpf.so.1')\n"
        "lib.user_ring_buffer__new.restype = ctypes.c_void_p\n"
        "lib.user_ring_buffer__reserve.restype = ctypes.c_void_p\n"
        "ring = ctypes.c_void_p(lib.user_ring_buffer__new(int(sys.argv[1]), None))\n"
        "sample = lib.user_ring_buffer__reserve(ring, 8)\n"
        "ctypes.memset(sample, 1, 8)\n"
        "lib.user_ring_buffer__submit(ring, ctypes.c_void_p(sample))\n"
        "lib.user_ring_buffer__free(ring)\n"
        "ctypes.memset(sample, 2, 8)\n"
    )
    fd = bpf.maps["samples"].fileno()
    run = [sys.executable, "-c", program, str(fd)]
    assert subprocess.run(run, check=False, pass_fds=[fd]).returncode == -signal.SIGSEGV
    assert bpf.programs["drain_digest"].test_run().retval == 0x01010101  # modulo 2**32


def test_a_killed_producer_blocks_the_map(
    libbpf: ctypes.CDLL, bpf: userrb.BpfObject, handle: int, drain: Callable[[], int]
) -> None:
    """F8: a process that dies with a sample reserved leaves the map as free does."""
    fd = bpf.maps["samples"].fileno()
    child = os.fork()
    if child == 0:
        libbpf.user_ring_buffer__reserve(libbpf.user_ring_buffer__new(fd, None), 8)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    libbpf.user_ring_buffer__submit(handle, libbpf.user_ring_buffer__reserve(handle, 8))
    assert drain() == 0

"""BPF in the guest: the user ring buffer came with Linux 6.1."""

from pathlib import Path

import pytest

from otherkernel.kernels import catalogue as kernels
from otherkernel.machine import Machine

pytestmark = pytest.mark.vm

# The bpf system call, for a map of type 31 (BPF_MAP_TYPE_USER_RINGBUF) of one page.
CREATE = """
import ctypes, os, struct
attributes = ctypes.create_string_buffer(struct.pack("<5I", 31, 0, 0, 4096, 0), 128)
libc = ctypes.CDLL(None, use_errno=True)
descriptor = libc.syscall(321, 0, attributes, len(attributes))
print("created" if descriptor >= 0 else os.strerror(ctypes.get_errno()))
"""


@pytest.mark.parametrize("kernel", kernels.load().kernels)
def test_the_ring_exists_from_6_1_on(kernel: str, folder: Path) -> None:
    """A user ring buffer can be created from 6.1 on, and before that it is an invalid argument."""
    with Machine(kernel) as machine:
        done = machine.run(["python3", "-c", CREATE], capture_output=True, text=True, check=True)
        release = machine.release
        assert (
            machine.run(["uname", "-r"], capture_output=True, text=True).stdout.strip() == release
        )
        mounted = machine.run(["cat", "/proc/mounts"], capture_output=True, text=True).stdout
        kinds = machine.run(["cat", "/proc/filesystems"], capture_output=True, text=True).stdout
    number = tuple(int(part) for part in release.split("-")[0].split(".")[:2])
    assert done.stdout == ("created\n" if number >= (6, 1) else "Invalid argument\n")
    for kind, place in (
        ("bpf", "/sys/fs/bpf"),
        ("tracefs", "/sys/kernel/tracing"),
        ("cgroup2", "/sys/fs/cgroup"),
    ):
        if f"\t{kind}\n" in kinds:
            assert f" {place} {kind} " in mounted


def test_kernels_differ(folder: Path) -> None:
    """A key gives the kernel it names."""
    with Machine("6.1") as machine:
        assert machine.release.startswith("6.1.")

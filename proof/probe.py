"""Ask the running kernel whether it takes a user ring buffer, and the system which libbpf it has.

It stands alone, and as text it runs on any kernel that a Python runs on.
"""

import ctypes
import json
import os
import sys

_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_BPF_MAP_CREATE = 0
_BPF_MAP_TYPE_USER_RINGBUF = 31


def refusal() -> int:
    """Create a user ring buffer, as every example does first, and close it again.

    Returns:
        0 if the kernel let us, or the error's number; -1 where bpf(2) has no known number.
    """
    number = _BPF_SYSCALL.get(os.uname().machine)
    if number is None:
        return -1
    # The head of union bpf_attr: map type, key size, value size, entries (here bytes).
    page = os.sysconf("SC_PAGE_SIZE")
    attributes = (ctypes.c_uint32 * 32)(_BPF_MAP_TYPE_USER_RINGBUF, 0, 0, page)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(number, _BPF_MAP_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd < 0:
        return ctypes.get_errno()
    os.close(fd)
    return 0


def libbpf() -> str:
    """Return the version of the libbpf that a program gets at run time, or "" without one."""
    try:
        library = ctypes.CDLL("libbpf.so.1")
    except OSError:
        return ""
    library.libbpf_version_string.restype = ctypes.c_char_p
    return str(library.libbpf_version_string().decode()).removeprefix("v")


def look() -> "dict[str, str | int]":
    """Return all of it, with the kernel's release and the machine's architecture."""
    here = os.uname()
    return {
        "kernel": here.release,
        "arch": here.machine,
        "libbpf": libbpf(),
        "refusal": refusal(),
    }


if __name__ == "__main__":
    json.dump(look(), sys.stdout)

"""Tell what the running kernel is, and whether it takes a user ring buffer: `[tool.proof] probe`.

It stands alone, and runs as text on any kernel that a Python runs on.
"""

import ctypes
import errno
import json
import os

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
BPF_MAP_CREATE = 0
BPF_MAP_TYPE_USER_RINGBUF = 31
OLDEST = "6.1"


def create_ring(number: int) -> int:
    """Create a user ring buffer, as every example does first, and close it; return 0 or errno."""
    # The head of union bpf_attr: map type, key size, value size, entries (here bytes).
    page = os.sysconf("SC_PAGE_SIZE")
    attributes = (ctypes.c_uint32 * 32)(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, page)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(number, BPF_MAP_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
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


def refusal(here: os.uname_result, version: str) -> "str | None":
    """Return why examples cannot run here, and what to do; None if they can."""
    if not version:
        return "libbpf.so.1 is missing: install it (apt-get install libbpf-dev)"
    number = BPF_SYSCALL.get(here.machine)
    if number is None:
        return f"the number of bpf(2) on {here.machine} is not known here; add it to this probe"
    code = create_ring(number)
    if code == 0:
        return None
    advice = {
        errno.EPERM: "run this as root, with CAP_BPF and CAP_PERFMON (a container may drop them)",
        errno.EINVAL: f"it needs Linux {OLDEST} or newer; run on a newer kernel",
        errno.ENOSYS: "it is built without CONFIG_BPF_SYSCALL; run on another kernel",
    }.get(code, "run on a kernel that allows BPF")
    return (
        f"Linux {here.release} refuses to create a user ring buffer ({os.strerror(code)}): {advice}"
    )


def main() -> None:
    """Print all of it."""
    here, version = os.uname(), libbpf()
    seen = {
        "kernel": here.release,
        "arch": here.machine,
        "libbpf": version,
        "refusal": refusal(here, version),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

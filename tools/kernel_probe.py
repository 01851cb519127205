"""Tell what the running kernel is, and what it has: `[tool.proof] probe`.

It stands alone, and runs as text on any kernel that a Python runs on. Its arguments are what
examples need: `kprobes`, `fentry`, `lsm`, `btf`, `variables` (in kallsyms), `syscall-kfuncs` (of
masks and tasks, for `SEC("syscall")`), or any name that the kernel's BTF must have, such as a
helper's (`BPF_FUNC_loop`) or a kfunc's.
"""

import ctypes
import errno
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
BPF_MAP_CREATE = 0
BPF_MAP_TYPE_USER_RINGBUF = 31
BPF_PROG_TYPE_TRACING = 26
BPF_PROG_TYPE_SYSCALL = 31
BPF_TRACE_FENTRY = 24
BPF_F_SLEEPABLE = 1 << 4
BPF_PSEUDO_KFUNC_CALL = 2
BTF_KIND_FUNC = 12
OLDEST = "6.1"
BTF = Path("/sys/kernel/btf/vmlinux")
KPROBES = Path("/sys/bus/event_source/devices/kprobe")
SYMBOLS = Path("/proc/kallsyms")
LSMS = Path("/sys/kernel/security/lsm")


def create_ring(number: int) -> int:
    """Create a user ring buffer, as the examples of this ring do first, and close it.

    Return 0 or the errno.
    """
    # The head of union bpf_attr: map type, key size, value size, entries (here bytes).
    page = os.sysconf("SC_PAGE_SIZE")
    attributes = (ctypes.c_uint32 * 32)(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, page)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(number, BPF_MAP_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd < 0:
        return ctypes.get_errno()
    os.close(fd)
    return 0


def attaches_fentry() -> bool:
    """Attach a program that does nothing to the entry of a kernel function, and detach it."""
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    library.libbpf_set_print(None)
    function = library.libbpf_find_vmlinux_btf_id(b"bpf_fentry_test1", BPF_TRACE_FENTRY)
    # struct bpf_prog_load_opts up to attach_btf_id; r0 = 0, exit.
    options = (ctypes.c_uint32 * 10)(40, 0, 0, BPF_TRACE_FENTRY, 0, 0, 0, 0, max(function, 0), 0)
    program = (ctypes.c_uint64 * 2)(0xB7, 0x95)
    loaded = library.bpf_prog_load(BPF_PROG_TYPE_TRACING, b"probe", b"GPL", program, 2, options)
    if loaded < 0:
        return False
    link = library.bpf_raw_tracepoint_open(None, loaded)
    os.close(loaded)
    if link >= 0:
        os.close(link)
    return bool(link >= 0)


def takes_kfuncs() -> bool:
    """Say whether a program of user space's own may make a mask: Linux 6.10 came to allow it."""
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    library.libbpf_set_print(None)
    library.btf__load_vmlinux_btf.restype = ctypes.c_void_p
    types = ctypes.c_void_p(library.btf__load_vmlinux_btf())
    kfunc = library.btf__find_by_name_kind(types, b"bpf_cpumask_create", BTF_KIND_FUNC)
    library.btf__free(types)
    # Call it, r0 = 0, exit: refused either way, as a mask has to be released.
    call = max(kfunc, 0) << 32 | BPF_PSEUDO_KFUNC_CALL << 12 | 0x85
    program = (ctypes.c_uint64 * 3)(call, 0xB7, 0x95)
    options = (ctypes.c_uint32 * 10)(40, 0, 0, 0, 0, BPF_F_SLEEPABLE, 0, 0, 0, 0)
    kind = BPF_PROG_TYPE_SYSCALL
    loaded = library.bpf_prog_load(kind, b"probe", b"GPL", program, 3, options)
    return bool(kfunc > 0 and loaded == -errno.EINVAL)


def lacks(words: "list[str]") -> "list[str]":
    """Return those of some words that the kernel has nothing for."""
    known = BTF.read_bytes() if BTF.exists() else b""
    kinds: dict[str, Callable[[], bool]] = {
        "btf": lambda: bool(known),
        "kprobes": KPROBES.exists,
        "fentry": attaches_fentry,
        "lsm": lambda: LSMS.exists() and "bpf" in LSMS.read_text().strip().split(","),
        "syscall-kfuncs": takes_kfuncs,
        "variables": lambda: bool(re.search(r"(?m) runqueues$", SYMBOLS.read_text())),
    }
    return [
        word
        for word in words
        if not (kinds[word]() if word in kinds else f"\0{word}\0".encode() in known)
    ]


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
        "lacks": lacks(sys.argv[1:]),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

"""`python -m userrb doctor`: what this machine lacks to use a user ring buffer, if anything."""

from __future__ import annotations

import errno
import json
import os
import platform
import pwd
import struct
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from userrb import demo, log, machine
from userrb._libbpf import ffi, lib
from userrb.errors import BpfError, NotPermitted
from userrb.ring import UserRingBuffer

State = Literal["ok", "missing", "optional"]
"""There; not there, and the ring cannot be used without it; not there, and it can."""

COLOURS = {"ok": "32", "missing": "31", "optional": "33"}
REFUSED = (errno.EPERM, errno.EACCES)
FIRST_RELEASE = (6, 1)
QEMU_PACKAGES = {"x86_64": ("x86", "x86"), "aarch64": ("arm", "aarch64"), "ppc64": ("ppc", "ppc")}
"""How Debian calls QEMU for an architecture, and how the others do."""


class Check(NamedTuple):
    """One line of the report.

    Attributes:
        name: What was looked at.
        state: Whether it is there, and whether that matters.
        found: What was found, in words.
        remedy: What to do about it; empty where nothing is to be done.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def install(debian: str, fedora: str, arch: str) -> str:
    """Return how to install a package, in this distribution's words if it is a known one."""
    family = machine.distribution()
    sudo = "" if os.geteuid() == 0 else "sudo "
    if family & {"debian", "ubuntu"}:
        return f"install it: {sudo}apt install {debian}"
    if family & {"fedora", "rhel", "centos"}:
        return f"install it: {sudo}dnf install {fedora}"
    if "arch" in family:
        return f"install it: {sudo}pacman -S {arch}"
    return f"install it (Debian: {debian}; Fedora: {fedora}; Arch: {arch})"


def check_kernel(refusal: int) -> Check:
    """Tells whether this kernel has the map type.

    Args:
        refusal: The errno of creating such a map, or 0.
    """
    linux = f"Linux {os.uname().release}, {platform.machine()}"
    upgrade = "you need Linux 6.1 or newer, as in Debian 12, Ubuntu 24.04 and Fedora 38"
    if refusal == 0:
        return Check("kernel", "ok", f"{linux}: has the user ring buffer (a map was created)")
    if refusal == errno.EINVAL:
        return Check("kernel", "missing", f"{linux}: has no user ring buffer", upgrade)
    if refusal == errno.ENOSYS:
        found = f"{linux}: has no bpf() call at all"
        return Check("kernel", "missing", found, f"build it with CONFIG_BPF_SYSCALL=y; {upgrade}")
    if refusal not in REFUSED:
        found = f"{linux}: creating a map failed: {os.strerror(refusal)}"
        return Check("kernel", "missing", found, "look at the kernel's log: sudo dmesg")
    if machine.kernel_release() >= FIRST_RELEASE:
        found = f"{linux}: new enough by its version; this user may not try to create a map"
        return Check("kernel", "ok", found)
    found = f"{linux}: too old by its version; this user may not try to create a map"
    return Check("kernel", "missing", found, upgrade)


def who() -> str:
    """Return who runs this, and where, in words."""
    try:
        words = "user " + pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        words = f"user {os.geteuid()}"
    if os.geteuid() == 0:
        words = "root"
    if kind := machine.container():
        words += f" in a container ({kind})"
    if machine.in_user_namespace():
        words += " in a user namespace"
    return words


def privilege_remedy() -> str:
    """Return how this process would get the right to use BPF."""
    if machine.in_user_namespace():
        return (
            "BPF ignores the rights of root in a user namespace: run this outside, as root "
            "on the host (rootless containers are user namespaces too)"
        )
    if machine.container():
        return (
            "start the container with --cap-add BPF, and --cap-add PERFMON for programs that "
            "trace (or with --privileged), and be root in it"
        )
    if os.geteuid() == 0:
        return "root has lost CAP_BPF here: a service manager or a sandbox has dropped it"
    return f"run it as root: sudo {sys.executable} -m userrb doctor"


def check_privilege(refusal: int) -> Check:
    """Tells whether this process may use BPF.

    Args:
        refusal: The errno of creating a map, or 0.
    """
    held = machine.capabilities()
    if held is None:
        allowed = os.geteuid() == 0 and refusal not in REFUSED
        found = f"{who()}; without /proc, capabilities cannot be read"
    else:
        allowed = bool(held & {"CAP_BPF", "CAP_SYS_ADMIN"}) and refusal not in REFUSED
        names = ", ".join(sorted(held))
        found = f"{who()}, with {names or 'no capability that BPF needs'}"
    if allowed:
        return Check("privilege", "ok", found)
    return Check("privilege", "missing", found, privilege_remedy())


def check_ring() -> Check:
    """Send one sample through a ring, to the BPF program of the demo."""
    try:
        with demo.load() as bpf, UserRingBuffer(bpf.maps["samples"]) as ring:
            ring.write(struct.pack("=Q", 1))
            taken = bpf.programs["drain"].test_run().retval
    except demo.CannotRun as error:
        return Check("ring", "optional", "not tried", str(error))
    except BpfError as error:
        number = error.errno or 0
        kind = errno.errorcode.get(number, str(number))
        found = f"the kernel did not take the demo's program: {log.reason(number)} ({kind})"
        remedy = "see the lines above" if isinstance(error, NotPermitted) else verdict(error.log)
        return Check("ring", "missing", found, remedy)
    if taken != 1:
        return Check("ring", "missing", f"one sample was sent, but the kernel returned {taken}")
    found = "a sample was written, and a BPF program in the kernel took it"
    return Check("ring", "ok", found)


def verdict(text: str) -> str:
    """Return the verifier's verdict from libbpf's log, or the log's first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line, after in pairwise(lines):
        if after.startswith("processed ") and "insns" in after:
            return line
    return lines[0] if lines else ""


def check_libbpf() -> Check:
    """Tells which libbpf runs."""
    number = ffi.string(lib.libbpf_version_string()).decode().removeprefix("v")
    headers = f"{lib.LIBBPF_MAJOR_VERSION}.{lib.LIBBPF_MINOR_VERSION}"
    built = "" if number.startswith(headers) else f", though compiled with {headers}'s headers"
    file = machine.libbpf_file()
    bundled = Path(__file__).parent.parent / "userrb.libs"
    if file is None:
        where = "bundled" if machine.exists(bundled) else "the system's"
    elif file.parent == bundled:
        where = "bundled with this package"
    else:
        where = f"the system's ({file})"
    return Check("libbpf", "ok", f"{number}, {where}{built}")


def check_btf() -> Check:
    """Tells whether the kernel describes its own types."""
    size = machine.btf_size()
    if size is not None:
        return Check("BTF", "ok", f"the kernel describes its types ({size / 1e6:.1f} MB)")
    return Check(
        "BTF",
        "optional",
        f"no {machine.SYS}/kernel/btf/vmlinux",
        "the ring does not need it; programs that read the kernel's structures do "
        "(a kernel with CONFIG_DEBUG_INFO_BTF=y, and /sys mounted)",
    )


def check_lockdown() -> Check:
    """Tells what the kernel's lockdown leaves of BPF."""
    mode = machine.lockdown()
    if mode is None:
        return Check("lockdown", "ok", "none reported")
    if mode == "confidentiality":
        return Check(
            "lockdown",
            "optional",
            "confidentiality: BPF programs may not read the kernel's memory",
            "the ring works nevertheless; Secure Boot or the kernel's command line has set this",
        )
    return Check("lockdown", "ok", mode)


def check_clang() -> Check:
    """Tells whether BPF programs can be compiled here."""
    purpose = "only needed to compile BPF programs of your own"
    path = machine.tool("clang") or machine.versioned_tool("clang")
    if path is None:
        return Check(
            "clang", "optional", f"not found; {purpose}", install("clang", "clang", "clang")
        )
    number = machine.version_of(machine.output(path, "--version"))
    if number is None:
        return Check("clang", "optional", f"{path} does not run; {purpose}", "install it again")
    command = (path, "-target", "bpf", "-x", "c", "-c", "-o", os.devnull, "-")
    if machine.output(*command, text="int x;") is None:
        return Check(
            "clang",
            "optional",
            f"{number} ({path}) cannot compile for bpf; {purpose}",
            f"use a clang with the bpf target; {install('clang', 'clang', 'clang')}",
        )
    return Check("clang", "ok", f"{number} ({path}), with the bpf target")


def check_headers() -> Check:
    """Tells whether the headers that a BPF program includes are there."""
    libbpf, linux = machine.header("bpf/bpf_helpers.h"), machine.header("linux/bpf.h")
    if libbpf and linux:
        return Check("headers", "ok", f"{libbpf} and {linux.name}")
    absent = [
        name
        for name, path in (("bpf/bpf_helpers.h", libbpf), ("linux/bpf.h", linux))
        if path is None
    ]
    return Check(
        "headers",
        "optional",
        f"no {' and no '.join(absent)}; only needed to compile BPF programs of your own",
        install(
            "libbpf-dev linux-libc-dev", "libbpf-devel kernel-headers", "libbpf linux-api-headers"
        ),
    )


def check_bpftool() -> Check:
    """Tells whether bpftool, which shows what is loaded, is there and runs."""
    purpose = "only needed to look at maps and programs, and to make vmlinux.h"
    package = install("bpftool", "bpftool", "bpf")
    path = machine.tool("bpftool")
    if path is None:
        return Check("bpftool", "optional", f"not found; {purpose}", package)
    number = machine.version_of(machine.output(path, "version"))
    if number is None:
        return Check(
            "bpftool", "optional", f"{path} does not run; {purpose}", "it must match the kernel"
        )
    return Check("bpftool", "ok", f"{number} ({path})")


def check_vm() -> Check:
    """Tells whether other kernels can be run here."""
    purpose = "only needed to try other kernels"
    architecture = {"ppc64le": "ppc64"}.get(platform.machine(), platform.machine())
    path = machine.tool(f"qemu-system-{architecture}")
    if path is None:
        debian, short = QEMU_PACKAGES.get(architecture, ("misc", architecture))
        package = f"qemu-system-{short}"
        return Check(
            "VM",
            "optional",
            f"no qemu-system-{architecture}; {purpose}",
            install(f"qemu-system-{debian}", f"{package}-core", package),
        )
    number = machine.version_of(machine.output(path, "--version"))
    if number is None:
        return Check("VM", "optional", f"{path} does not run; {purpose}", "install it again")
    speed = {
        "none": "no /dev/kvm: it emulates, which is slower",
        "closed": "/dev/kvm is not open to this user (group kvm): it emulates, which is slower",
        "broken": "/dev/kvm does not answer: it emulates, which is slower",
        "open": "/dev/kvm answers (whether it works, only booting shows)",
    }[machine.kvm()]
    return Check("VM", "ok", f"QEMU {number}; {speed}")


def examine() -> list[Check]:
    """Look at everything, what matters most first."""
    refusal = machine.create_user_ringbuf()
    return [
        check_kernel(refusal),
        check_privilege(refusal),
        check_ring(),
        check_libbpf(),
        check_btf(),
        check_lockdown(),
        check_clang(),
        check_headers(),
        check_bpftool(),
        check_vm(),
    ]


def usable(checks: Iterable[Check]) -> bool:
    """Tells whether the ring can be used here."""
    return all(check.state != "missing" for check in checks)


def shows_colour() -> bool:
    """Tells whether whoever reads the output can see colours, and wants to."""
    dumb = os.environ.get("TERM", "") in ("", "dumb")
    return sys.stdout.isatty() and not dumb and not os.environ.get("NO_COLOR")


def report_text(checks: Sequence[Check], *, colour: bool) -> str:
    """Return the report for people."""
    lines = [f"userrb {version('userrb')}, Python {platform.python_version()}", ""]
    for check in checks:
        state = f"{check.state:<10}"
        if colour:
            state = f"\033[{COLOURS[check.state]}m{state}\033[0m"
        lines.append(f"{state}{check.name:<11}{check.found}")
        if check.remedy:
            lines.append(f"{'':<21}-> {check.remedy}")
    lines.append("")
    if usable(checks):
        lines.append("The user ring buffer can be used here. Try it: python -m userrb demo")
    else:
        names = ", ".join(check.name for check in checks if check.state == "missing")
        lines.append(f"The user ring buffer cannot be used here. See: {names}.")
    return "\n".join(lines)


def report_json(checks: Sequence[Check]) -> str:
    """Return the report for programs."""
    report = {
        "userrb": version("userrb"),
        "usable": usable(checks),
        "checks": [check._asdict() for check in checks],
    }
    return json.dumps(report, indent=2)


def main(*, as_json: bool = False) -> int:
    """Print the report; return 0 if the ring can be used here, else 1."""
    checks = examine()
    if as_json:
        print(report_json(checks))
    else:
        print(report_text(checks, colour=shows_colour()))
    return 0 if usable(checks) else 1

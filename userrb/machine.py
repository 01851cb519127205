"""What this machine tells about itself. An answer may be None: there may be no /proc, no /sys."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from userrb._libbpf import ffi, lib

PROC = Path("/proc")
SYS = Path("/sys")
DEV = Path("/dev")
ROOT = Path("/")

TIMEOUT = 20
"""Seconds that a tool may take to say its version."""

CAPABILITIES = {12: "CAP_NET_ADMIN", 21: "CAP_SYS_ADMIN", 38: "CAP_PERFMON", 39: "CAP_BPF"}
"""Those that BPF asks for, by bit."""

KVM_GET_API_VERSION = 0xAE00
KVM_CREATE_VM = 0xAE01
KVM_API_VERSION = 12


def read(path: Path) -> str | None:
    """Return a file's text; None where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def exists(path: Path) -> bool:
    """Tells whether there is such a file; no where that cannot be told."""
    try:
        return path.exists()
    except OSError:
        return False


def kernel_release() -> tuple[int, int]:
    """Return the kernel's release as two numbers; zeros where it has an unusual form."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def create_user_ringbuf() -> int:
    """Create a user ring buffer of one page and close it; return 0, or the errno."""
    size = mmap.PAGESIZE
    fd = lib.bpf_map_create(lib.BPF_MAP_TYPE_USER_RINGBUF, b"userrb_doctor", 0, 0, size, ffi.NULL)
    if fd < 0:
        return int(ffi.errno) or errno.EINVAL
    os.close(fd)
    return 0


def capabilities() -> frozenset[str] | None:
    """Return which of `CAPABILITIES` this process has."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", read(PROC / "self/status") or "", re.MULTILINE)
    if not found:
        return None
    bits = int(found[1], 16)
    return frozenset(name for bit, name in CAPABILITIES.items() if bits >> bit & 1)


def in_user_namespace() -> bool | None:
    """Tells whether this process is in a user namespace of its own."""
    mapping = read(PROC / "self/uid_map")
    if mapping is None:
        return None
    return mapping.split() != ["0", "0", "4294967295"]


def container() -> str | None:
    """Return what kind of container this is, if it says so."""
    if exists(ROOT / ".dockerenv"):
        return "Docker"
    if exists(ROOT / "run/.containerenv"):
        return "Podman"
    named = read(ROOT / "run/systemd/container")
    if not named:
        found = re.search(r"(?:^|\0)container=([^\0]+)", read(PROC / "1/environ") or "")
        named = found[1] if found else None
    return named.strip() or None if named else None


def libbpf_file() -> Path | None:
    """Return the file of the libbpf that this process has loaded."""
    for line in (read(PROC / "self/maps") or "").splitlines():
        path = Path(line.split(maxsplit=5)[-1])
        if re.fullmatch(r"libbpf[-.].*", path.name):
            return path
    return None


def lockdown() -> str | None:
    """Return the kernel's lockdown mode: none, integrity or confidentiality."""
    found = re.search(r"\[(\w+)\]", read(SYS / "kernel/security/lockdown") or "")
    return found[1] if found else None


def btf_size() -> int | None:
    """Return the bytes of the kernel's own type information."""
    try:
        return (SYS / "kernel/btf/vmlinux").stat().st_size
    except OSError:
        return None


def distribution() -> frozenset[str]:
    """Return the distribution's name and those of its relatives, as in os-release."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return frozenset()
    return frozenset([release["ID"], *release.get("ID_LIKE", "").split()])


def tool(name: str) -> str | None:
    """Find a program, also where Debian keeps some that a user's PATH does not name."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=os.pathsep.join([path, "/usr/local/sbin", "/usr/sbin", "/sbin"]))


def versioned_tool(name: str) -> str | None:
    """Find the newest of a program's versions that are installed side by side: `clang-18`."""
    found: dict[int, str] = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        try:
            entries = list(Path(folder).glob(f"{name}-[0-9]*"))
        except OSError:
            continue
        for entry in entries:
            number = entry.name.removeprefix(f"{name}-")
            if number.isdigit() and os.access(entry, os.X_OK):
                found.setdefault(int(number), str(entry))
    return found[max(found)] if found else None


def output(*command: str, text: str = "") -> str | None:
    """Return what a program prints; None if it fails, is not there, or does not end."""
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            check=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def version_of(text: str | None) -> str | None:
    """Return the first thing in a text that looks like a version."""
    found = re.search(r"\d+\.\d+(\.\d+)?", text or "")
    return found[0] if found else None


def header(name: str) -> Path | None:
    """Find a C header where compilers look."""
    folders = [ROOT / "usr/local/include", ROOT / "usr/include"]
    folders.append(ROOT / f"usr/include/{platform.machine()}-linux-gnu")
    return next((folder / name for folder in folders if exists(folder / name)), None)


def kvm() -> str:
    """Return what /dev/kvm is good for: "none", "closed" (to this user), "broken" or "open".

    Only booting something proves that it works.
    """
    device = DEV / "kvm"
    if not exists(device):
        return "none"
    try:
        fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        return "closed"
    except OSError:
        return "broken"
    try:
        if fcntl.ioctl(fd, KVM_GET_API_VERSION) != KVM_API_VERSION:
            return "broken"
        os.close(fcntl.ioctl(fd, KVM_CREATE_VM))
    except OSError:
        return "broken"
    finally:
        os.close(fd)
    return "open"

"""The kernel that an example's `sudo` commands run on.

A session's bash runs on this machine, whatever the kernel. What leads from there to the kernel is
the program that it finds under the name `sudo`: on this machine's own kernel that is sudo itself,
or for root, who needs none, a stand-in that treats the environment as sudo does. A kernel in a
virtual machine puts a `sudo` of its own in the same place, which hands its arguments, directory
and environment to the process that owns the machine.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proof.errors import ProofError

_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_BPF_MAP_CREATE = 0
_BPF_MAP_TYPE_USER_RINGBUF = 31
_OLDEST = "6.1"


class Kernel(Protocol):
    """Where commands that begin with `sudo` run."""

    def check(self) -> None:
        """Try whether examples can run there.

        Raises:
            ProofError: They cannot; the message says what to do about it.
        """

    def install_sudo(self, directory: Path) -> None:
        """Put a program `sudo` that leads to the kernel into a directory first in PATH, if needed.

        The session's bash, and all that it starts, live no longer than the directory.
        """

    def facts(self) -> dict[str, str]:
        """Return what a record says of the kernel: `kernel` (its release) and `arch`."""


@dataclass(frozen=True)
class Host:
    """The kernel of this machine."""

    def check(self) -> None:
        """See `Kernel.check`."""
        fault = probe() if os.geteuid() == 0 else _probe_with_sudo()
        if fault:
            raise ProofError(fault)

    def install_sudo(self, directory: Path) -> None:
        """See `Kernel.install_sudo`."""
        if os.geteuid() == 0:
            path = directory / "sudo"
            path.write_text(_SUDO, encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def facts(self) -> dict[str, str]:
        """See `Kernel.facts`."""
        return {"kernel": platform.release(), "arch": platform.machine()}


def probe() -> str | None:
    """Create a user ring buffer, as every example does first, and close it again.

    Returns:
        None if the kernel let us; else what is wrong and what to do.
    """
    release, machine = platform.release(), platform.machine()
    number = _BPF_SYSCALL.get(machine)
    if number is None:
        return f"the number of bpf(2) on {machine} is not known here; add it to {__name__}"
    # The head of union bpf_attr: map type, key size, value size, entries (here bytes).
    page = os.sysconf("SC_PAGE_SIZE")
    attributes = (ctypes.c_uint32 * 32)(_BPF_MAP_TYPE_USER_RINGBUF, 0, 0, page)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(number, _BPF_MAP_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd >= 0:
        os.close(fd)
        return None
    code = ctypes.get_errno()
    what = f"Linux {release} refuses to create a user ring buffer ({os.strerror(code)})"
    if code == errno.EPERM:
        return f"{what}: run this as root, with CAP_BPF and CAP_PERFMON (a container may drop them)"
    if code == errno.EINVAL:
        return f"{what}: it needs Linux {_OLDEST} or newer; run on a newer kernel"
    if code == errno.ENOSYS:
        return f"{what}: it is built without CONFIG_BPF_SYSCALL; run on another kernel"
    return f"{what}: run on a kernel that allows BPF"


def _probe_with_sudo() -> str | None:
    if not shutil.which("sudo"):
        return (
            "the examples need privilege to load BPF programs: run this as root, or install sudo"
            " (apt-get install sudo) and let your user use it"
        )
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, text=True, check=False)
    if asked.returncode:
        return (
            "the examples need sudo, and it asks for a password: run `sudo -v` in this terminal"
            " first, or run this as root"
        )
    # Sudo clears PYTHONPATH but keeps the directory, from which Python finds this package.
    probed = subprocess.run(
        ["sudo", "-n", sys.executable, "-m", __spec__.name],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return (probed.stdout + probed.stderr).strip() or None


# Sudo, for one who is root already: it keeps from the environment what Debian's sudo keeps, so that
# a command that would miss the virtual environment's PATH for a reader misses it here too.
_SUDO = r"""#!/bin/sh
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
reset=-i
while [ $# -gt 0 ]; do
    case $1 in
    -E | --preserve-env) reset= ;;
    -n | -H | --non-interactive | --set-home) ;;
    --) shift; break ;;
    -*) echo "sudo: the option $1 is not known to this session's sudo" >&2; exit 1 ;;
    *) break ;;
    esac
    shift
done
program=
for word; do
    case $word in
    [A-Za-z_]*=*) ;;
    *) program=$word; break ;;
    esac
done
[ "$program" ] || { echo "usage: sudo [-E] [VAR=value] command [arguments]" >&2; exit 1; }
(PATH=$path && command -v -- "$program") >/dev/null || {
    echo "sudo: $program: command not found" >&2
    exit 1
}
exec env $reset ${LANG+"LANG=$LANG"} ${LC_ALL+"LC_ALL=$LC_ALL"} ${TERM+"TERM=$TERM"} \
    ${TZ+"TZ=$TZ"} PROOF_SESSION="$PROOF_SESSION" \
    HOME=/root LOGNAME=root MAIL=/var/mail/root PATH="$path" SHELL=/bin/bash USER=root \
    SUDO_COMMAND="$*" SUDO_GID=0 SUDO_UID=0 SUDO_USER=root "$@"
"""


if __name__ == "__main__":
    print(probe() or "")

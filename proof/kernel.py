"""The kernel that an example's `sudo` commands run on.

A session's bash runs on this machine, whatever the kernel. What leads from there to the kernel is
the program that it finds under the name `sudo`: on this machine's own kernel that is sudo itself,
or for root a stand-in that treats the environment as sudo does, and gives the command the rights
that were taken from the session (see `proof.privilege`). A kernel in a virtual machine puts a
`sudo` of its own in the same place, which hands its arguments, directory and environment to the
process that owns the machine (see `proof.vm.kernel`).
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from proof import privilege, probe
from proof.errors import ProofError
from proof.relay import Relay

_OLDEST = "6.1"
_SUDOS = 64
"""Commands with sudo that a session may run at a time."""
_FACTS = ("kernel", "arch", "libbpf")


class Kernel(Protocol):
    """Where commands that begin with `sudo` run."""

    def check(self) -> None:
        """Try whether examples can run there.

        Raises:
            ProofError: They cannot; the message says what to do about it.
        """

    def session(self, tools: Path, home: Path) -> AbstractContextManager[None]:
        """Lead from a session to the kernel, as long as the session lasts.

        Args:
            tools: A directory that is first in the session's PATH, into which a program `sudo`
                goes where that is needed.
            home: The session's files.

        Raises:
            ProofError: The kernel failed meanwhile, so that nothing of the session counts.
        """

    def facts(self) -> dict[str, str]:
        """Return what a record says of the place: `kernel` (its release), `arch` and `libbpf`."""

    def close(self) -> None:
        """Leave the kernel: it will run no more."""


@dataclass(frozen=True)
class Host:
    """The kernel of this machine."""

    def check(self) -> None:
        """See `Kernel.check`."""
        fault = refused(probe.look()) if os.geteuid() == 0 else _probe_with_sudo()
        if fault:
            raise ProofError(fault)

    @contextmanager
    def session(self, tools: Path, home: Path) -> Iterator[None]:
        """See `Kernel.session`."""
        if os.geteuid() != 0:
            yield  # the session finds sudo itself
        elif not privilege.without():
            path = tools / "sudo"
            path.write_text(SUDO, encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
            yield
        else:
            relay = Relay(tools, partial(privilege.run, SUDO), at_once=_SUDOS)
            try:
                yield
            finally:
                relay.close()
            if relay.failure is not None:
                raise relay.failure

    def facts(self) -> dict[str, str]:
        """See `Kernel.facts`."""
        return told(probe.look())

    def close(self) -> None:
        """See `Kernel.close`."""


def told(seen: Mapping[str, str | int]) -> dict[str, str]:
    """Return of what the probe saw that which a record keeps.

    Raises:
        ProofError: There is no libbpf.
    """
    if not seen["libbpf"]:
        raise ProofError("libbpf.so.1 is missing: install it (apt-get install libbpf-dev)")
    return {name: str(seen[name]) for name in _FACTS}


def refused(seen: Mapping[str, str | int]) -> str | None:
    """Return, of what the probe saw, why examples cannot run, and what to do; None if they can."""
    code = int(seen["refusal"])
    if code == 0:
        return None
    if code < 0:
        return f"the number of bpf(2) on {seen['arch']} is not known here; add it to proof/probe.py"
    what = f"Linux {seen['kernel']} refuses to create a user ring buffer ({os.strerror(code)})"
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
    probed = subprocess.run(
        ["sudo", "-n", sys.executable, probe.__file__], capture_output=True, text=True, check=False
    )
    try:
        return refused(json.loads(probed.stdout))
    except ValueError:
        return f"sudo could not run {sys.executable}: {(probed.stdout + probed.stderr).strip()}"


# Sudo, for one who is root already: it keeps from the environment what Debian's sudo keeps, so that
# a command that would miss the virtual environment's PATH for a reader misses it here too.
SUDO = r"""#!/bin/sh
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
umask 022
exec env $reset ${LANG+"LANG=$LANG"} ${LC_ALL+"LC_ALL=$LC_ALL"} ${TERM+"TERM=$TERM"} \
    ${TZ+"TZ=$TZ"} PROOF_SESSION="$PROOF_SESSION" \
    HOME=/root LOGNAME=root MAIL=/var/mail/root PATH="$path" SHELL=/bin/bash USER=root \
    SUDO_COMMAND="$*" SUDO_GID=0 SUDO_UID=0 SUDO_USER=root "$@"
"""

"""What the guest's kernel unpacks at boot: busybox, and the agent with a Python of its own.

Everything stands at the host's path. Programs that come later have a script in their place
(`stub`); the rest of Python and its packages come when they are needed (`layer_files`), as the time
of a boot goes by the weight of this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from otherkernel.errors import Error
from otherkernel.image import agent_files, cpio, hostfiles, libraries, overlay, python, store, stub

# Programs that belong in the guest if the host has them: they ask the running kernel, or where the
# guest's own libraries are.
PROGRAMS = ("bash", "bpftool", "ldconfig")
PYTHON = "/python"
"""The layer with all of Python but its packages. Names with a slash are no modules'."""

# Its commands are busybox's own, which its shell does not even start anew. What Python would do
# for a locale costs as much as half of its start.
_INIT = """#!/bin/busybox sh
# Before Python starts, which otherwise finds no random numbers.
mount -t devtmpfs devtmpfs /dev
mkdir /dev/shm /dev/pts
mount -a 2>/dev/null
ip link set lo up
echo guest >/proc/sys/kernel/hostname
export PYTHONHOME={home} PYTHONCOERCECLOCALE=0
exec {python} -s -S -B -X utf8 {agent}
"""

# The last three are not in every kernel.
_MOUNTS = """\
proc /proc proc
sysfs /sys sysfs
devpts /dev/pts devpts
tmpfs /dev/shm tmpfs
bpf /sys/fs/bpf bpf
tracefs /sys/kernel/tracing tracefs
cgroup2 /sys/fs/cgroup cgroup2
"""

_FILES = {
    "/etc/fstab": _MOUNTS,
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost guest\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/hostname": "guest\n",
}


class Base(NamedTuple):
    """The archive to boot with.

    Attributes:
        path: Its file.
        places: What it has of the host's.
        stubs: Where its stubs are, by the layers that they ask for.
    """

    path: Path
    places: set[str]
    stubs: dict[str, list[str]]


def busybox() -> str:
    """Return the path of busybox.

    Raises:
        Error: There is none.
    """
    found = shutil.which("busybox")
    if found is None:
        raise Error("a static busybox is needed: apt install busybox-static")
    return found


def program(name: str) -> str | None:
    """Return a program's path, also where only root has it in its PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def interpreter() -> str:
    """Return the running interpreter without links, which the agent runs on."""
    return os.path.realpath(sys.executable)


def _needed(shell: str) -> list[str]:
    """Return the libraries that the agent and any program of the host's in the guest need.

    Raises:
        Error: Something that a guest needs is not installed.
    """
    if libraries.needed([shell]):
        raise Error(f"{shell} is not a static one: apt install busybox-static")
    own = [path for path in agent_files.modules().values() if libraries.is_elf(path)]
    extra = libraries.by_name()
    return [*extra, *libraries.needed([interpreter(), *own, *extra])]


def _installed(shell: str) -> tuple[hostfiles.HostFiles, dict[str, list[str]]]:
    """Return the host's files in it, and the stubs."""
    found = hostfiles.HostFiles()
    stubs: dict[str, list[str]] = {}
    for place in ("/bin", "/sbin", "/lib", "/lib64"):
        if os.path.isdir(place):
            found.folder(place)
    commands = [(f"/{name}", path) for name in PROGRAMS if (path := program(name))]
    for name, path in (*((PYTHON, path) for path in python.programs()), *commands):
        found.add(path)
        stubs.setdefault(name, []).append(os.path.realpath(path))
    stubs = {name: list(dict.fromkeys(places)) for name, places in stubs.items()}
    found.add_all(python.scripts())
    found.add_all(python.files("/usr/lib/locale/C.utf8"))
    found.add_all(("/etc/ld.so.cache", shell))
    return found, stubs


def _write_system(archive: cpio.Writer, shell: str, present: Iterable[str]) -> None:
    """Write what makes a system of it: folders, devices, accounts, the first program."""
    for place in ("/proc", "/sys", "/dev", "/run", "/root", "/etc", "/var", "/usr/bin"):
        archive.folder(place)
    for place in ("/tmp", "/var/tmp"):  # noqa: S108  (the guest's)
        archive.folder(place, 0o1777)
    archive.device("/dev/console", 5, 1)
    archive.device("/dev/null", 1, 3, 0o666)
    for place, content in _FILES.items():
        archive.file(place, content.encode())
    init = _INIT.format(
        home=agent_files.HOME,
        python=stub.hidden(interpreter()),
        agent=agent_files.START,
    )
    archive.file("/init", init.encode(), 0o755)
    listed = subprocess.run([shell, "--list"], capture_output=True, text=True, check=True)
    taken = set(present)
    for place in (f"/usr/bin/{applet}" for applet in ("busybox", *listed.stdout.split())):
        if place not in taken:
            archive.link(place, shell)
            taken.add(place)


def made(overlays: Iterable[Path] = (), unread: list[Path] | None = None) -> Base:
    """Return the archive for a guest that mirrors this host and Python, built if need be.

    Args:
        overlays: Unpacked packages whose libraries take the place of the host's.
        unread: See `cache.filled`.

    Raises:
        Error: Something that a guest needs is not installed.
    """
    shell = busybox()
    overlays = list(overlays)
    makers = store.sources()
    found, stubs = _installed(shell)
    key = sha256(f"{makers} {sys.executable} {sys.version} {shell}".encode()).hexdigest()
    needed = store.known(key, lambda: _needed(shell))
    found.add_all(needed.paths)
    digest = f"{key} {found.fingerprint()} {needed.fingerprint} {stubs}"
    for folder in overlays:
        digest += f" {folder} {(folder / '.version').read_text()}"

    def fill(part: Path) -> None:
        with (part / "cpio").open("wb") as file:
            archive = cpio.Writer(file)
            scripts = {place: name for name, places in stubs.items() for place in places}
            found.without(scripts).write(archive)
            for place, name in scripts.items():
                archive.file(place, stub.script(name), 0o755)
            real = interpreter()
            archive.file(stub.hidden(real), libraries.stripped(real), 0o755)
            _write_system(archive, shell, (*found.files, *found.links))
            agent_files.write(archive, agent_files.modules())
            overlay.write(archive, overlays)
            archive.close()

    places = {*found.files, *found.links}
    for folder in overlays:
        places.update(place for place, _ in overlay.libraries(folder))
    return Base(store.made(digest, fill, unread), places, stubs)

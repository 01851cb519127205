"""The guest's installed files, as the archive that its kernel unpacks at boot.

Everything stands at the host's path: the running Python with its packages, the libraries they need,
busybox and a few programs. Sources that are still being written are not among it: they would make
another archive of this size at each change, and go in after the boot instead.
"""

import os
import py_compile
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from otherkernel import cache
from otherkernel.errors import Error
from otherkernel.image import cpio, hostfiles, libraries, overlay, python

# Programs that belong in the guest if the host has them: they ask the running kernel.
PROGRAMS = ("bash", "bpftool")
# What runs in the guest of this package. Compiled here, as a guest would take long for it.
AGENT = ("guest/agent", "guest/execution", "guest/leftovers", "placing", "tree", "wire")
_HERE = Path(__file__).parent.parent
AGENT_FOLDER = "/.otherkernel"
_MAKERS = ("archive", "cpio", "hostfiles", "libraries", "overlay", "python")
_PACKAGES = (f"{AGENT_FOLDER}/otherkernel", f"{AGENT_FOLDER}/otherkernel/guest")
_START = b"from otherkernel.guest.agent import main\nmain()\n"
# An archive that nobody used for so long is removed, and so are all but the last few: each change
# of what is installed makes another one.
_KEPT_SECONDS = 7 * 86400
_KEPT = 6

_INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
# Before Python starts, which otherwise finds no random numbers.
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mkdir -p /dev/shm /dev/pts
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox mount -t tmpfs tmpfs /dev/shm
/bin/busybox hostname guest
/bin/busybox ip link set lo up
exec {python} -E -s -S -B {agent}
"""

_FILES = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost guest\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/hostname": "guest\n",
}


def _busybox() -> str:
    """Return the path of busybox.

    Raises:
        Error: There is none.
    """
    found = shutil.which("busybox")
    if found is None:
        raise Error("a static busybox is needed: apt install busybox-static")
    return found


def _installed(busybox: str) -> hostfiles.HostFiles:
    """Return the software that is installed, libraries not yet included."""
    found = hostfiles.HostFiles()
    found.add_all(python.programs())
    tools = python.tools() | python.finders()[0]
    for folder in (*python.standard_library(), *python.packages()):
        found.add_all(path for path in python.files(folder) if path not in tools)
    found.add_all(path for path in python.scripts() if path not in tools)
    found.add_all(path for path in map(_program, PROGRAMS) if path)
    found.add_all(python.files("/usr/lib/locale/C.utf8"))
    found.add_all(path for path in (libraries.ldconfig(), "/etc/ld.so.cache", busybox) if path)
    for place in ("/bin", "/sbin", "/lib", "/lib64"):
        if os.path.isdir(place):
            found.folder(place)
    return found


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _agent(folder: Path) -> dict[str, bytes]:
    """Return this package's files for the guest, compiled by way of a folder."""
    made = {f"{AGENT_FOLDER}/start.py": _START}
    made.update((f"{package}/__init__.py", b"") for package in _PACKAGES)
    for name in AGENT:
        compiled = folder / "compiled.pyc"
        py_compile.compile(
            str(_HERE / f"{name}.py"),
            str(compiled),
            f"{name}.py",
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        made[f"{_PACKAGES[0]}/{name}.pyc"] = compiled.read_bytes()
        compiled.unlink()
    return made


def _write_system(archive: cpio.Writer, busybox: str, present: Iterable[str]) -> None:
    """Write what makes a system of it: folders, devices, accounts, the first program."""
    for place in ("/proc", "/sys", "/dev", "/run", "/root", "/etc", "/var", "/usr/bin"):
        archive.folder(place)
    for place in ("/tmp", "/var/tmp"):  # noqa: S108  (the guest's)
        archive.folder(place, 0o1777)
    archive.device("/dev/console", 5, 1)
    archive.device("/dev/null", 1, 3, 0o666)
    for place, content in _FILES.items():
        archive.file(place, content.encode())
    init = _INIT.format(python=sys.executable, agent=f"{AGENT_FOLDER}/start.py")
    archive.file("/init", init.encode(), 0o755)
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    taken = set(present)
    for place in (f"/usr/bin/{applet}" for applet in ("busybox", *listed.stdout.split())):
        if place not in taken:
            archive.link(place, busybox)
            taken.add(place)


def _fill(part: Path, files: hostfiles.HostFiles, busybox: str, overlays: list[Path]) -> None:
    """Write the archive."""
    if libraries.needed([busybox]):
        raise Error(f"{busybox} is not a static one: apt install busybox-static")
    extra = libraries.by_name()
    programs = [place for place in files.files if libraries.is_elf(place)]
    files.add_all((*libraries.needed([*programs, *extra]), *extra))
    agent = _agent(part)
    with (part / "cpio").open("wb") as file:
        archive = cpio.Writer(file)
        files.write(archive)
        _write_system(archive, busybox, (*files.files, *files.links))
        lines = "".join(f"{folder}\n" for folder in python.finders()[1])
        archive.file(f"{python.packages()[0]}/otherkernel-sources.pth", lines.encode())
        for place in (AGENT_FOLDER, *_PACKAGES):
            archive.folder(place)
        for place, data in agent.items():
            archive.file(place, data)
        overlay.write(archive, overlays)
        archive.close()


def _forget(kept: Path) -> None:
    """Remove archives that nobody used for long, and mark this one as used."""
    os.utime(kept)
    used: list[tuple[float, Path]] = []
    for other in kept.parent.iterdir():
        try:
            used.append((other.stat().st_mtime, other))
        except FileNotFoundError:
            continue  # another process was faster
    used.sort(reverse=True)
    for number, (last, other) in enumerate(used):
        if number >= _KEPT or time.time() - last > _KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


def made(overlays: Iterable[Path] = ()) -> Path:
    """Return the archive for a guest that mirrors this host and Python, built if need be.

    Args:
        overlays: Unpacked packages whose libraries take the place of the host's.

    Raises:
        Error: Something that a guest needs is not installed.
    """
    busybox = _busybox()
    installed = _installed(busybox)
    overlays = list(overlays)
    digest = sha256(f"{installed.fingerprint()} {python.finders()[1]}".encode())
    for folder in overlays:
        digest.update(f"{folder} {(folder / '.version').read_text()}".encode())
    for name in (*AGENT, *(f"image/{each}" for each in _MAKERS)):
        digest.update((_HERE / f"{name}.py").read_bytes())
    folder = cache.filled(
        f"guest/{digest.hexdigest()[:32]}", lambda part: _fill(part, installed, busybox, overlays)
    )
    _forget(folder)
    return folder / "cpio"


def sources(paths: Iterable[Path] = ()) -> list[bytes]:
    """Return the paths, relative to the root folder, of sources to put into a booted guest.

    Args:
        paths: Further files and folders of the host's.
    """
    found = hostfiles.HostFiles()
    for path in (*python.sources(), *(os.path.abspath(path) for path in paths)):
        found.add_all(python.files(path, installed=False))
    return found.places()

"""The shared libraries that programs need, as the host's loader finds them."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

# Loaded by name at run time, so that no program's headers tell of them.
_BY_NAME = re.compile(r"^\s*(lib(?:bpf|elf|gcc_s)\.so\.\d+)\s.*=>\s*(/\S+)", re.M)
_RESOLVED = re.compile(r"(?:=>\s*|^\s*)(/\S+) \(0x", re.M)
_BATCH = 200  # programs for one call of ldd
_WORTH_STRIPPING = 50_000  # bytes


def is_elf(path: str) -> bool:
    """Tells whether a file is a program or library that can be read."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def ldconfig() -> str | None:
    """Return the path of ldconfig, which is seldom in a user's PATH."""
    return shutil.which("ldconfig") or shutil.which("ldconfig", path="/usr/sbin:/sbin")


def by_name() -> list[str]:
    """Return libbpf, libelf and what the C library loads, as far as the host has them."""
    program = ldconfig()
    if program is None:
        return []
    listed = subprocess.run([program, "-p"], capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for match in _BY_NAME.finditer(listed.stdout):
        found.setdefault(match.group(1), match.group(2))
    return list(found.values())


def needed(programs: Iterable[str]) -> set[str]:
    """Return all libraries that programs and libraries need, their loader included."""
    paths = list(programs)
    found: set[str] = set()
    for start in range(0, len(paths), _BATCH):
        # Its exit status is that of the worst file, and a static program counts as bad.
        result = subprocess.run(
            ["ldd", *paths[start : start + _BATCH]], capture_output=True, text=True, check=False
        )
        # A path that a library names relative to itself leads over "..", one for each that does.
        found.update(map(os.path.normpath, _RESOLVED.findall(result.stdout)))
    return found


def stripped(path: str) -> bytes:
    """Return a file's content, without what only debuggers and linkers read if it is a library.

    A guest unpacks all of it at each boot, and a Python built from source is mostly that. Without
    binutils on the host it stays in. Installed packages are left alone: strip breaks libraries that
    patchelf has been at, as it has in many wheels.

    Raises:
        PermissionError: The file may not be read.
    """
    data = Path(path).read_bytes()
    program = shutil.which("strip")
    if program is None or len(data) < _WORTH_STRIPPING or "-packages/" in path or not is_elf(path):
        return data
    with tempfile.NamedTemporaryFile() as copy:
        result = subprocess.run(
            [program, "--strip-unneeded", "-o", copy.name, path], capture_output=True, check=False
        )
        return data if result.returncode else Path(copy.name).read_bytes()

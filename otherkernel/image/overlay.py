"""A library of another suite in the place of the host's, for all that runs in a guest.

The files go into the guest's archive behind the host's own, so that nothing runs there yet when
they take their places, and no command needs a setting to find them.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from otherkernel.image import cpio
from otherkernel.kernels import catalogue, fetch

_LIBRARY = re.compile(r".*\.so(\.[\w.]+)?")


def packages(name: str) -> list[Path]:
    """Return folders with the unpacked packages that a library takes, fetched if need be.

    Args:
        name: The library's, in the catalogue.

    Raises:
        FetchError: One could not be had.
    """
    data = catalogue.load()
    library = data.libraries[name]
    distribution = data.distributions[library.distribution]

    def unpacked(package: str) -> Path:
        return fetch.unpacked(library.suite, package, distribution, library.architecture, data=data)

    found = unpacked(library.package)
    fits = all(_loads(path) for path in found.rglob("*.so.*") if not path.is_symlink())
    return [found] if fits else [found, unpacked(library.c_library)]


def _loads(library: Path) -> bool:
    """Tells whether the host's libraries are new enough for one."""
    done = subprocess.run(["ldd", library], capture_output=True, text=True, check=False)
    return "not found" not in done.stdout + done.stderr


def libraries(folder: Path) -> Iterator[tuple[str, Path]]:
    """Goes through a package's libraries: where in the guest each stands, and the file or link."""
    for path in sorted(folder.rglob("*")):
        if not _LIBRARY.fullmatch(path.name) or not (path.is_symlink() or path.is_file()):
            continue
        parent = f"/{path.relative_to(folder).parent}"
        # What the C library loads by itself stands in folders that only it knows.
        if os.path.isdir(parent) and "." not in os.path.basename(parent):
            yield f"{os.path.realpath(parent)}/{path.name}", path


def write(archive: cpio.Writer, folders: list[Path]) -> None:
    """Write the libraries of some packages into an archive."""
    for folder in folders:
        for place, path in libraries(folder):
            if path.is_symlink():
                archive.link(place, os.readlink(path))
            else:
                info = path.stat()
                data = path.read_bytes()
                archive.file(place, data, stat.S_IMODE(info.st_mode), int(info.st_mtime))

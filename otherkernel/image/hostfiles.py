"""Files of the host that are to stand at the same paths in a guest, links and all."""

import os
import stat
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from otherkernel.image import cpio, libraries, python


class HostFiles:
    """A set of the host's files, with the folders they are in and the links that lead to them."""

    def __init__(self) -> None:
        """Start empty."""
        self.folders: dict[str, None] = {}
        self.links: dict[str, str] = {}
        self.files: dict[str, os.stat_result] = {}
        self._real: dict[str, str] = {"/": "/"}

    def folder(self, path: str) -> str:
        """Add a folder, and return its path without links."""
        real = self._real.get(path)
        if real is not None:
            return real
        parent, name = os.path.split(path)
        place = os.path.join(self.folder(parent), name)
        if os.path.islink(place):
            real = self._follow(place)
            self.folder(real)
        else:
            self.folders[place] = None
            real = place
        self._real[path] = real
        return real

    def _follow(self, link: str) -> str:
        """Add a link, and return the path it leads to."""
        target = self.links.setdefault(link, os.readlink(link))
        return os.path.normpath(os.path.join(os.path.dirname(link), target))

    def add(self, path: str) -> None:
        """Add a file by its full path; one that is not there, or no longer, is passed over."""
        parent, name = os.path.split(path)
        place = os.path.join(self.folder(parent), name)
        try:
            info = os.lstat(place)
        except OSError:
            return
        if stat.S_ISLNK(info.st_mode):
            if place not in self.links:
                self.add(self._follow(place))
        elif stat.S_ISDIR(info.st_mode):
            self.folder(place)
        elif stat.S_ISREG(info.st_mode):
            self.files[place] = info

    def add_all(self, paths: Iterable[str]) -> None:
        """Add several."""
        for path in paths:
            self.add(path)

    def without(self, places: Iterable[str]) -> "HostFiles":
        """Return a copy that lacks some files and links."""
        left_out = set(places)
        copy = HostFiles()
        copy.folders = dict(self.folders)
        copy.links = {place: to for place, to in self.links.items() if place not in left_out}
        copy.files = {place: info for place, info in self.files.items() if place not in left_out}
        copy._real = dict(self._real)
        return copy

    def fingerprint(self) -> str:
        """Return a hash of all names, and of the sizes, times and modes of all files."""
        digest = sha256(repr((list(self.folders), self.links)).encode("utf-8", "surrogateescape"))
        for place, info in self.files.items():
            line = f"{place}\0{info.st_size}\0{info.st_mtime_ns}\0{info.st_mode}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def places(self) -> list[bytes]:
        """Return everything relative to the root folder, as `tree.pack` takes it."""
        everything = (*self.folders, *self.links, *self.files)
        return [os.fsencode(place).lstrip(b"/") for place in everything]

    def write(self, archive: cpio.Writer) -> None:
        """Write everything, folders before what is in them, large libraries stripped.

        What this user may not read is left out: a Python that runs here does without it.
        """
        for place in self.folders:
            archive.folder(place, stat.S_IMODE(os.stat(place).st_mode) | 0o700)
        for place, target in self.links.items():
            archive.link(place, target)
        for place, info in self.files.items():
            try:
                data = libraries.stripped(place)
            except PermissionError:
                continue
            archive.file(place, data, stat.S_IMODE(info.st_mode), int(info.st_mtime))


def places(paths: Iterable[Path]) -> list[bytes]:
    """Return the paths of files, and of all in folders, as `tree.pack` takes them."""
    found = HostFiles()
    for path in paths:
        found.add_all(python.files(os.path.abspath(path), python.LEFT_OUT_ANYWHERE))
    return found.places()

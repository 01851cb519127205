"""What comes into the guest only when something there needs it.

A layer is a program, or Python without its packages, or the installed packages and modules of one
name; each with the libraries that it needs. The guest asks by names, and they are looked up in a
table made here: by asking it can have nothing else of the host's.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from otherkernel.image import agent_files, archive, cpio, hostfiles, libraries, python, store, stub

_FINDER = "_otherkernel_finder"
# First in the alphabet, so that it finds what other such files import.
_STARTER = "!otherkernel.pth"
_PIECE = 8 << 20  # bytes


class LayerFiles:
    """The layers of one guest.

    Args:
        base: What it has from the start.
    """

    def __init__(self, base: archive.Base) -> None:
        """Do nothing yet, as most guests want little."""
        self._base = base
        self._modules: dict[str, list[str]] | None = None
        self._python: set[str] | None = None

    def places(self, name: str) -> list[str]:
        """Return where the guest has stubs for the programs in a layer."""
        return self._base.stubs.get(name, [])

    def pieces(self, name: str, carried: Callable[[str], bool]) -> Iterator[bytes]:
        """Yield the archive of a layer; nothing if there is none of that name.

        Args:
            name: As the guest gave it.
            carried: Tells whether a place is in a working directory, which the guest has already,
                and may have changed.
        """
        if name == archive.PYTHON:
            # Sources that are still being written would make another archive at each change.
            yield _sources(carried)
            yield from self._archive(name, self._python_files(), self._write_finder, carried)
        elif self.places(name):
            yield from self._archive(name, hostfiles.HostFiles(), _nothing, carried)
        elif paths := self._table().get(name):
            files = hostfiles.HostFiles()
            for path in paths:
                files.add_all(python.files(path))
            if self._python is None:
                python_files = self._complete(archive.PYTHON, self._python_files())
                self._python = {*python_files.files, *python_files.links}
            yield from self._archive(name, files, _nothing, carried, self._python)

    def _table(self) -> dict[str, list[str]]:
        """Return what is installed, by the names under which it is imported."""
        if self._modules is None:
            self._modules = python.modules()
        return self._modules

    def _python_files(self) -> hostfiles.HostFiles:
        """Return the standard library, and what packages say of themselves."""
        found = hostfiles.HostFiles()
        for path in python.standard_library():
            found.add_all(python.files(path, python.LEFT_OUT_OF_LIBRARY))
        found.add_all(python.metadata())
        return found

    def _complete(self, name: str, files: hostfiles.HostFiles) -> hostfiles.HostFiles:
        """Add the libraries that files need, and leave out what the guest has from the start."""

        def needed() -> list[str]:
            programs = [*self.places(name), *filter(libraries.is_elf, files.files)]
            return sorted(libraries.needed(programs))

        key = sha256(f"{store.sources()} {name} {files.fingerprint()}".encode()).hexdigest()
        files.add_all(store.known(key, needed).paths)
        return files.without(self._base.places)

    def _archive(
        self,
        name: str,
        files: hostfiles.HostFiles,
        also: Callable[[cpio.Writer], None],
        carried: Callable[[str], bool],
        present: Iterable[str] = (),
    ) -> Iterator[bytes]:
        """Yield the archive of some files and what they need, from the cache if need be.

        Args:
            name: The layer's.
            files: What is in it, libraries and programs not yet included.
            also: Writes what is not the host's.
            carried: As above.
            present: What else the guest has already.
        """
        files = self._complete(name, files).without(present)
        programs = [place for place in self.places(name) if place != archive.interpreter()]

        def write(file: BinaryIO, files: hostfiles.HostFiles) -> None:
            writer = cpio.Writer(file)
            files.write(writer)
            for place in programs:
                writer.file(stub.hidden(place), libraries.stripped(place), 0o755)
            also(writer)
            writer.close()

        def fill(part: Path) -> None:
            with (part / "cpio").open("wb") as file:
                write(file, files)

        there = [place for place in (*files.files, *files.links) if carried(place)]
        if there:
            own = io.BytesIO()
            write(own, files.without(there))
            yield own.getvalue()
            return
        digest = f"{store.sources()} {name} {files.fingerprint()}"
        digest += f" {[(place, os.stat(place).st_mtime_ns) for place in programs]}"
        if also is not _nothing:
            digest += f" {sys.version} {self._modules_text()} {python.finders()[1]}"
        with store.made(digest, fill).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def _modules_text(self) -> str:
        """Return what the guest's finder reads: names, and the folders that they are in."""
        return "\n".join(self._table()) + "\n\n" + "\n".join(python.packages())

    def _write_finder(self, writer: cpio.Writer) -> None:
        """Write what asks for packages, and where sources are that are still being written."""
        source = str(agent_files.PACKAGE / "guest" / "finder.py")
        folder = python.packages()[0]
        writer.file(f"{folder}/{_FINDER}.pyc", agent_files.compiled(source, "finder.py"))
        writer.file(f"{folder}/{_STARTER}", f"import {_FINDER}\n".encode())
        lines = "".join(f"{path}\n" for path in python.finders()[1])
        writer.file(f"{folder}/otherkernel-sources.pth", lines.encode())
        writer.file(f"{agent_files.FOLDER}/modules", self._modules_text().encode())


def _nothing(_: cpio.Writer) -> None:
    """Write nothing more."""


def _sources(carried: Callable[[str], bool]) -> bytes:
    """Return entries for an archive: the sources of packages installed where they are written."""
    found = hostfiles.HostFiles()
    for path in python.sources():
        found.add_all(python.files(path, python.LEFT_OUT_ANYWHERE))
    file = io.BytesIO()
    found.without([place for place in found.files if carried(place)]).write(cpio.Writer(file))
    return file.getvalue()

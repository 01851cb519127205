"""Writes the archive that Linux unpacks at boot: cpio in the "newc" format, device nodes included.

The format is that of Linux's Documentation/driver-api/early-userspace/buffer-format.rst. No tool
and no right is needed, as devices are only entries here.
"""

import os
import stat
from typing import BinaryIO


class Writer:
    """Writes one archive into a file.

    Args:
        file: Open for writing; several archives may follow each other.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Start the archive."""
        self._file = file
        self._inode = 0

    def _entry(
        self,
        path: str,
        mode: int,
        mtime: int = 0,
        data: bytes = b"",
        device: tuple[int, int] = (0, 0),
    ) -> None:
        name = os.fsencode(path.lstrip("/")) + b"\0"
        self._inode += 1
        numbers = (self._inode, mode, 0, 0, 1, mtime, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % number for number in numbers) + name
        self._file.write(head + b"\0" * (-len(head) % 4))
        self._file.write(data)
        self._file.write(b"\0" * (-len(data) % 4))

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder; it must come before what is in it."""
        self._entry(path, stat.S_IFDIR | mode)

    def file(self, path: str, data: bytes, mode: int = 0o644, mtime: int = 0) -> None:
        """Add a file."""
        self._entry(path, stat.S_IFREG | mode, mtime, data)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._entry(path, stat.S_IFLNK | 0o777, data=os.fsencode(target))

    def device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device."""
        self._entry(path, stat.S_IFCHR | mode, device=(major, minor))

    def close(self) -> None:
        """End the archive."""
        self._entry("TRAILER!!!", 0)
        self._file.write(b"\0" * (-self._file.tell() % 512))

"""A folder's files as records: what changed since a look at it, and packed.

Used by both sides, and so as lean as `wire`. Paths are bytes, relative, with slashes. `placing`
puts entries in place again.
"""

import os
import stat
import struct

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What an entry looked like: mode, size, time of change in ns, and inode; links have their target.
Look = tuple[int, int, int, int, bytes]

RECORD = struct.Struct("<BIqHQ")  # kind, mode, mtime in ns, length of path, length of data
FILE = 1
MORE = 2  # the next piece of a file
FOLDER = 3
LINK = 4
GONE = 5

LOST = RECORD.pack(GONE, 0, 0, 1, 0) + b"."  # the folder itself is gone

_PIECE = 1 << 20  # bytes of a file in one record, and about the length of a pack

PART = b".otherkernel.part"  # a file that is still being written

# Neither sources nor results: caches of tools, and what a version control system keeps.
IGNORED = frozenset(
    {
        *(b".git", b".hg", b".svn", b"__pycache__", b"node_modules", b".tox", b".nox"),
        *(b".cache", b".mypy_cache", b".ruff_cache", b".pytest_cache"),
        PART,
    }
)


class Malformed(Exception):
    """What came is no pack, or not one that an honest sender makes."""


class TooMuch(Exception):
    """A folder holds more than anyone means to copy."""


def look(info: os.stat_result, target: bytes = b"") -> Look:
    """Return what an entry looks like; of a folder only its mode counts."""
    if stat.S_ISDIR(info.st_mode):
        return info.st_mode, 0, 0, 0, b""
    return info.st_mode, info.st_size, info.st_mtime_ns, info.st_ino, target


def scan(root: bytes, limit: int | None = None) -> dict[bytes, Look]:
    """Look at everything in a folder, virtual environments and `IGNORED` names left out.

    Args:
        root: The folder.
        limit: Bytes of all files together.

    Raises:
        TooMuch: There is more than the limit.
    """
    found: dict[bytes, Look] = {}
    total = 0
    folders = [b""]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(os.path.join(root, folder) if folder else root))
        except (FileNotFoundError, PermissionError):
            continue
        if folder and any(entry.name == b"pyvenv.cfg" for entry in entries):
            found.pop(folder, None)
            continue
        for entry in entries:
            if entry.name in IGNORED:
                continue
            path = folder + b"/" + entry.name if folder else entry.name
            try:
                info = entry.stat(follow_symlinks=False)
                target = os.readlink(entry.path) if stat.S_ISLNK(info.st_mode) else b""
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(info.st_mode):
                found[path] = look(info)
                folders.append(path)
            elif stat.S_ISREG(info.st_mode) or target:
                found[path] = look(info, target)
                total += info.st_size
            if limit is not None and total > limit:
                raise TooMuch
    return found


def differences(before: dict[bytes, Look], after: dict[bytes, Look]) -> tuple[list[bytes], ...]:
    """Return the paths that are new or changed, folders first, and those gone, deepest first."""
    changed = sorted(path for path, seen in after.items() if before.get(path) != seen)
    gone = sorted((path for path in before if path not in after), reverse=True)
    return changed, gone


def pack(root: bytes, changed: "Iterable[bytes]", gone: "Iterable[bytes]") -> "Iterator[bytes]":
    """Packs entries of a folder into messages of a few mebibytes, whole records each."""
    batch: list[bytes] = []
    size = 0
    for record in _records(root, changed, gone):
        batch.append(record)
        size += len(record)
        if size >= _PIECE:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


def _records(root: bytes, changed: "Iterable[bytes]", gone: "Iterable[bytes]") -> "Iterator[bytes]":
    for path in gone:
        yield RECORD.pack(GONE, 0, 0, len(path), 0) + path
    for path in changed:
        full = os.path.join(root, path)
        try:
            info = os.lstat(full)
            mode, time = stat.S_IMODE(info.st_mode), info.st_mtime_ns
            if stat.S_ISDIR(info.st_mode):
                yield RECORD.pack(FOLDER, mode, time, len(path), 0) + path
            elif stat.S_ISLNK(info.st_mode):
                data = os.readlink(full)
                yield RECORD.pack(LINK, mode, time, len(path), len(data)) + path + data
            else:
                with open(full, "rb") as file:
                    kind = FILE
                    while (data := file.read(_PIECE)) or kind == FILE:
                        yield RECORD.pack(kind, mode, time, len(path), len(data)) + path + data
                        kind = MORE
        except FileNotFoundError:
            continue  # it went away between the look and now


def unpack(packed: bytes) -> "Iterator[tuple[int, int, int, bytes, memoryview]]":
    """Goes through the records of a pack: kind, mode, time of change, path, data.

    Raises:
        Malformed: It is no pack.
    """
    view = memoryview(packed)
    offset = 0
    while offset < len(view):
        if len(view) - offset < RECORD.size:
            raise Malformed("a record of a file is cut off")
        kind, mode, time, name_length, length = RECORD.unpack_from(view, offset)
        offset += RECORD.size
        if name_length + length > len(view) - offset:
            raise Malformed("a record of a file is longer than its pack")
        path = bytes(view[offset : offset + name_length])
        offset += name_length
        yield kind, mode, time, path, view[offset : offset + length]
        offset += length


def clear(root: bytes) -> None:
    """Remove all that `scan` sees in a folder, but for folders with something else in them."""
    for path in sorted(scan(root), reverse=True):
        full = os.path.join(root, path)
        try:
            if os.path.isdir(full) and not os.path.islink(full):
                os.rmdir(full)
            else:
                os.unlink(full)
        except OSError:
            pass

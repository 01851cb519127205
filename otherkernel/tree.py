"""A folder's files as records: what changed since a look at it, packed, and put in place again.

Used by both sides, and so as lean as `wire`. Paths are bytes, relative, with slashes.
"""

import os
import stat
import struct

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What an entry looked like: mode, size, time of change in ns, and inode; links have their target.
Look = tuple[int, int, int, int, bytes]

_RECORD = struct.Struct("<BIqHQ")  # kind, mode, mtime in ns, length of path, length of data
_FILE = 1
_MORE = 2  # the next piece of a file
_FOLDER = 3
_LINK = 4
_GONE = 5

_PIECE = 4 << 20  # bytes of a file in one record, and about the length of a pack

# Neither sources nor results: caches of tools, and what a version control system keeps.
IGNORED = frozenset(
    {
        *(b".git", b".hg", b".svn", b"__pycache__", b"node_modules", b".tox", b".nox"),
        *(b".cache", b".mypy_cache", b".ruff_cache", b".pytest_cache"),
    }
)


class TooMuch(Exception):
    """A folder holds more than anyone means to copy."""


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
                found[path] = (info.st_mode, 0, 0, 0, b"")
                folders.append(path)
            elif stat.S_ISREG(info.st_mode) or target:
                look = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ino, target)
                found[path] = look
                total += info.st_size
            if limit is not None and total > limit:
                raise TooMuch
    return found


def differences(before: dict[bytes, Look], after: dict[bytes, Look]) -> tuple[list[bytes], ...]:
    """Return the paths that are new or changed, folders first, and those gone, deepest first."""
    changed = sorted(path for path, look in after.items() if before.get(path) != look)
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
        yield _RECORD.pack(_GONE, 0, 0, len(path), 0) + path
    for path in changed:
        full = os.path.join(root, path)
        try:
            info = os.lstat(full)
            mode, time = stat.S_IMODE(info.st_mode), info.st_mtime_ns
            if stat.S_ISDIR(info.st_mode):
                yield _RECORD.pack(_FOLDER, mode, time, len(path), 0) + path
            elif stat.S_ISLNK(info.st_mode):
                data = os.readlink(full)
                yield _RECORD.pack(_LINK, mode, time, len(path), len(data)) + path + data
            else:
                with open(full, "rb") as file:
                    kind = _FILE
                    while (data := file.read(_PIECE)) or kind == _FILE:
                        yield _RECORD.pack(kind, mode, time, len(path), len(data)) + path + data
                        kind = _MORE
        except FileNotFoundError:
            continue  # it went away between the look and now


def apply(root: bytes, packed: bytes) -> None:
    """Put packed entries in place.

    Raises:
        ValueError: A path would lead out of the folder.
    """
    view = memoryview(packed)
    offset = 0
    while offset < len(view):
        kind, mode, time, name_length, length = _RECORD.unpack_from(view, offset)
        offset += _RECORD.size
        path = bytes(view[offset : offset + name_length])
        offset += name_length
        data = view[offset : offset + length]
        offset += length
        _place(_inside(root, path), kind, mode, time, data)


def clear(root: bytes) -> None:
    """Remove all that `scan` sees in a folder."""
    for path in sorted(scan(root), reverse=True):
        _remove(os.path.join(root, path))


def _inside(root: bytes, path: bytes) -> bytes:
    """Return the full path, refusing what leads elsewhere by dots or through a link."""
    parts = path.split(b"/")
    if not path or path.startswith(b"/") or b".." in parts or b"" in parts:
        raise ValueError(f"a path that leads out of the folder: {path!r}")
    full = root
    for part in parts[:-1]:
        full = os.path.join(full, part)
        if os.path.islink(full):
            raise ValueError(f"a path through a link: {path!r}")
    return os.path.join(full, parts[-1])


def _remove(full: bytes) -> None:
    """Remove whatever is there; a folder that is not empty stays (something ignored is in it)."""
    try:
        os.unlink(full)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        try:
            os.rmdir(full)
        except OSError:
            pass


def _place(full: bytes, kind: int, mode: int, time: int, data: memoryview) -> None:
    """Make one entry what its record says."""
    if kind == _GONE:
        _remove(full)
    elif kind == _FOLDER:
        if os.path.islink(full) or not os.path.isdir(full):
            _remove(full)
            os.makedirs(full, exist_ok=True)
        os.chmod(full, mode)
    elif kind == _LINK:
        _remove(full)
        os.symlink(bytes(data), full)
    else:
        if kind == _FILE and (os.path.islink(full) or os.path.isdir(full)):
            _remove(full)
        if kind == _FILE and not os.access(full, os.W_OK):
            _remove(full)  # a read-only file is replaced, as its folder allows
        with open(full, "wb" if kind == _FILE else "ab") as file:
            file.write(data)
        os.chmod(full, mode)
        os.utime(full, ns=(time, time))

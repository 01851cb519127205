"""Puts records of files into a folder, and nothing anywhere else, whatever the records say.

Each step down the tree is made with a descriptor of the folder above and follows no link; a file is
written aside and renamed into its place, so that it is never half there. Used by both sides, and so
as lean as `wire`.
"""

import os
import stat

from otherkernel import tree

# Of one command; its files come from memory of the guest's.
MOST_BYTES = 1 << 30
MOST_RECORDS = 200_000

_MODE = 0o777  # the only bits that are passed on
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEVER: tree.Look = (0, 0, 0, 0, b"")


class _Kept(Exception):
    """Something else stands there, and stays."""


class Placing:
    """A folder that records are put into.

    Args:
        root: The folder.
        sent: What stood there when the other side was sent the same. Whatever changed here since
            stays, and so does what was not sent at all. None trusts the other side with anything.

    Attributes:
        here: What stands there that the other side has, too.
        kept: Paths of records that would have changed what is newer here, or was never sent; and
            links that would have led out of the folder.
        gone: What the other side has removed.
        lost: It has no such folder any more.

    Raises:
        OSError: There is no such folder. So do all methods, if an entry cannot be written.
    """

    def __init__(self, root: bytes, sent: "dict[bytes, tree.Look] | None" = None) -> None:
        self.here = dict(sent or {})
        self.kept: list[bytes] = []
        self.gone: list[bytes] = []
        self.lost = False
        self._root = root
        self._trusting = sent is None
        self._folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._parent: tuple[bytes, int] = (b"", self._folder)  # the one used last
        self._file = -1  # the one that is being written
        self._path = b""
        self._last: tuple[int, int] = (0, 0)  # its mode and time
        self._modes: dict[bytes, int] = {}  # of new folders: set when all is in them
        self._placed = 0
        self._bytes = self._records = 0

    def __enter__(self) -> "Placing":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything; a file of which the end has not come is forgotten."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._clear_part(self._parent[1])
        if self._parent[1] != self._folder:
            os.close(self._parent[1])
        os.close(self._folder)

    def apply(self, packed: bytes) -> None:
        """Put packed records in place, but for removals.

        Raises:
            tree.Malformed: An honest sender sends no such thing.
        """
        for kind, mode, time, path, data in tree.unpack(packed):
            self._records += 1
            self._bytes += len(data)
            if self._records > MOST_RECORDS or self._bytes > MOST_BYTES:
                raise tree.Malformed(f"more than {MOST_BYTES >> 20} MiB of files, or too many")
            if path != b"." or kind != tree.GONE:
                self._check(path)
            if kind == tree.MORE:
                if path != self._path or not path:
                    raise tree.Malformed(f"the middle of {path!r} without its beginning")
                self._write(data)
                continue
            self._finish_file()
            try:
                self._place(kind, mode & _MODE, max(0, time), path, data)
            except _Kept:
                self.kept.append(path)
                self.here[path] = _NEVER  # the other side has something else: send it again

    def finish(self) -> bool:
        """Do what is left to do, removals above all.

        Returns:
            False if everything would go: nothing was removed then.
        """
        self._finish_file()
        files = [path for path, look in self.here.items() if not stat.S_ISDIR(look[0])]
        busy = self._trusting or self._placed or self.kept
        if not busy and len(files) > 1 and not set(files) - set(self.gone):
            return False
        self._remove(self.gone)
        for path, mode in sorted(self._modes.items(), reverse=True):
            try:
                self._set_mode(path, mode)
            except (FileNotFoundError, NotADirectoryError, _Kept):
                self.here.pop(path, None)  # it was removed here
        return True

    def _check(self, path: bytes) -> None:
        parts = path.split(b"/")
        if not path or b"\0" in path or {b"", b".", b".."} & set(parts):
            raise tree.Malformed(f"a path that leads out of the folder: {path[:200]!r}")
        if not self._trusting and tree.IGNORED & set(parts):
            raise tree.Malformed(f"a path that is never copied: {path[:200]!r}")

    def _place(self, kind: int, mode: int, time: int, path: bytes, data: memoryview) -> None:
        """Make one entry what its record says, or begin to."""
        if kind == tree.GONE:
            self.lost |= path == b"."
            self.gone.append(path)
        elif kind == tree.FOLDER:
            self._make_folder(path, mode)
        elif kind == tree.LINK:
            target = bytes(data)
            if not target or b"\0" in target:
                raise tree.Malformed(f"{path[:200]!r} is a link to nothing")
            if not self._trusting and not _stays_inside(path, target):
                raise _Kept
            os.symlink(target, tree.PART, dir_fd=self._make_room(path))
            self._rename(path)
        elif kind == tree.FILE:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(tree.PART, flags, 0o600, dir_fd=self._make_room(path))
            self._path = path
            self._last = mode, time
            self._write(data)
        else:
            raise tree.Malformed(f"a record of the unknown kind {kind}")

    def _make_folder(self, path: bytes, mode: int) -> None:
        parent, name, present = self._find(path)
        there = present is not None and _is_folder(present)
        # A folder that was sent may have another mode now; one that was made here meanwhile stays.
        if not self._trusting and not (there and self._is_folder(path)):
            self._unchanged(path, present)
        if not there:
            if present:
                os.unlink(name, dir_fd=parent)
            os.mkdir(name, 0o700, dir_fd=parent)
        self._modes[path] = mode
        self.here[path] = (stat.S_IFDIR | mode, 0, 0, 0, b"")
        self._placed += 1

    def _make_room(self, path: bytes) -> int:
        """Return the folder to write an entry in, of which the place is no folder."""
        parent, name, present = self._find(path)
        if not self._trusting:
            self._unchanged(path, present)
        if present and _is_folder(present):
            self._remove([gone for gone in self.gone if gone.startswith(path + b"/")])
            parent, _ = self._open(path)
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as error:
                raise _Kept from error
            self.here.pop(path, None)
        self._clear_part(parent)
        self._placed += 1
        return parent

    def _find(self, path: bytes) -> "tuple[int, bytes, tree.Look | None]":
        """Return the folder of an entry, its name there, and what it looks like now."""
        try:
            parent, name = self._open(path)
        except FileNotFoundError as error:
            if self._trusting:
                raise
            raise _Kept from error  # its folder was removed here
        return parent, name, self._look(parent, name)

    def _unchanged(self, path: bytes, present: "tree.Look | None") -> None:
        if present != self.here.get(path):
            raise _Kept

    def _write(self, data: memoryview) -> None:
        """Write a piece of the file, unless another one stays in its place."""
        while self._file >= 0 and data:
            data = data[os.write(self._file, data) :]

    def _finish_file(self) -> None:
        """Put the file that was being written in its place."""
        path, self._path = self._path, b""
        if self._file < 0:
            return
        mode, time = self._last
        old = self._stat(self._parent[1], os.path.basename(path))
        if old is not None and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            try:
                os.fchown(self._file, old.st_uid, old.st_gid)
            except PermissionError:
                pass
        os.fchmod(self._file, mode)
        os.utime(self._file, ns=(time, time))
        os.close(self._file)
        self._file = -1
        if self._trusting or self._look(self._parent[1], os.path.basename(path)) == self.here.get(
            path
        ):
            self._rename(path)
        else:  # it changed while this one was being written
            self._clear_part(self._parent[1])
            self.kept.append(path)
            self.here[path] = _NEVER

    def _rename(self, path: bytes) -> None:
        parent, name = self._parent[1], os.path.basename(path)
        os.rename(tree.PART, name, src_dir_fd=parent, dst_dir_fd=parent)
        look = self._look(parent, name)
        self.here[path] = look or _NEVER

    def _open(self, path: bytes) -> tuple[int, bytes]:
        """Return a descriptor of the folder that an entry stands in, and its name there."""
        above, _, name = path.rpartition(b"/")
        if above == self._parent[0]:
            return self._parent[1], name
        folder = self._folder
        walked = b""
        for part in above.split(b"/") if above else ():
            walked = walked + b"/" + part if walked else part
            try:
                if not self._trusting and not self._is_folder(walked):
                    raise _Kept
                deeper = os.open(part, _STEP, dir_fd=folder)
            except NotADirectoryError as error:
                if self._trusting:
                    raise
                raise _Kept from error
            finally:
                if folder != self._folder:
                    os.close(folder)
            folder = deeper
        if self._parent[1] != self._folder:
            os.close(self._parent[1])
        self._parent = (above, folder)
        return folder, name

    def _is_folder(self, path: bytes) -> bool:
        """Tells whether the other side rightly takes a path for a folder."""
        return path in self.here and _is_folder(self.here[path])

    @staticmethod
    def _stat(parent: int, name: bytes) -> "os.stat_result | None":
        try:
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _look(self, parent: int, name: bytes) -> "tree.Look | None":
        info = self._stat(parent, name)
        if info is None:
            return None
        linked = stat.S_ISLNK(info.st_mode)
        return tree.look(info, os.readlink(name, dir_fd=parent) if linked else b"")

    def _clear_part(self, parent: int) -> None:
        """Remove what is left of a file that was never finished."""
        try:
            os.unlink(tree.PART, dir_fd=parent)
        except FileNotFoundError:
            pass

    def _set_mode(self, path: bytes, mode: int) -> None:
        parent, name = self._open(path)
        folder = os.open(name, os.O_RDONLY | _STEP & ~os.O_PATH, dir_fd=parent)
        try:
            # Else its set-group-ID bit would go, which is not passed on.
            if os.fstat(folder).st_mode & _MODE != mode:
                os.fchmod(folder, mode)
            self.here[path] = tree.look(os.fstat(folder))
        finally:
            os.close(folder)

    def _remove(self, paths: "list[bytes]") -> None:
        """Remove what was sent and is as it was; deepest first."""
        for path in sorted(paths, reverse=True):
            sent = self.here.get(path)
            if sent is None and not self._trusting:
                continue
            try:
                parent, name = self._open(path)
                present = self._look(parent, name)
                if present is None:
                    pass
                elif _is_folder(present):
                    os.rmdir(name, dir_fd=parent)
                elif self._trusting or present == sent:
                    os.unlink(name, dir_fd=parent)
                else:
                    raise _Kept
            except _Kept:
                self.kept.append(path)
                self.here[path] = _NEVER
                continue
            except OSError as error:
                if not isinstance(error, FileNotFoundError) and not _not_empty(error):
                    raise
            self.here.pop(path, None)


def _is_folder(look: tree.Look) -> bool:
    return stat.S_ISDIR(look[0])


def _not_empty(error: OSError) -> bool:
    """Tells whether a folder stays because of what was never sent."""
    import errno  # noqa: PLC0415  (built in, and seldom needed)

    return error.errno in (errno.ENOTEMPTY, errno.EEXIST)


def _stays_inside(path: bytes, target: bytes) -> bool:
    """Tells whether a link stays in the folder, whatever other links there are that do so."""
    parts = target.split(b"/")
    up = 0
    while up < len(parts) and parts[up] == b"..":
        up += 1
    return not target.startswith(b"/") and b".." not in parts[up:] and up <= path.count(b"/")

"""The user's cache folder: where it is, and how several processes fill it without harm."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from otherkernel.errors import Error

# A download over a slow line may take minutes; after this time its process hangs or is gone.
LOCK_SECONDS = 1800.0
SUMS = ".sums"
# Of what can be made again, that which nobody used for so long is removed, and so is the oldest
# beyond so much of a kind.
_KEPT_SECONDS = 7 * 86400
_KEPT_BYTES = 1 << 30


class Damaged(Error):
    """Something in the cache is not what was once put there."""


def folder() -> Path:
    """Return the cache folder, made if need be: `OTHERKERNEL_CACHE`, or else the user's own.

    Raises:
        Error: It cannot be made.
    """
    chosen = os.environ.get("OTHERKERNEL_CACHE")
    users = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(chosen or f"{users}/otherkernel")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Error(
            f"{path}: {error.strerror}: name another folder by OTHERKERNEL_CACHE"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise Error(f"{path}: not writable: name another folder by OTHERKERNEL_CACHE")
    return path.resolve()


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock called `name` against all other threads and processes of this cache.

    Raises:
        Error: Another process kept it for `LOCK_SECONDS`, or it cannot be had at all.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  (slow to import, and seldom needed)

    path = folder() / "locks" / f"{name.replace('/', '_')}.lock"
    lock = FileLock(path, timeout=LOCK_SECONDS)
    try:
        path.parent.mkdir(exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise Error(
            f"{path}: another process has held this lock for {LOCK_SECONDS:.0f} seconds: if it "
            "hangs, end it"
        ) from error
    except OSError as error:
        raise Error(
            f"{path}: {error.strerror}: name another folder by OTHERKERNEL_CACHE"
        ) from error
    try:
        yield
    finally:
        lock.release()


def filled(
    name: str,
    fill: Callable[[Path], None],
    *,
    refresh: bool = False,
    prune: bool = False,
    unread: list[Path] | None = None,
) -> Path:
    """Return the cached folder `name`, filled by `fill` if it is not there, or is damaged.

    The folder appears under its name only when it is complete, so a reader needs no lock. Each call
    reads all of it, to compare it with the checksums that were written with it.

    Args:
        name: Path relative to the cache folder.
        fill: Writes the content into the empty folder it is given.
        refresh: Fill anew even if it is there.
        prune: It is easily made again: when it is, those beside it that nobody used for long go.
        unread: Takes the folder if it is there, which is then left for `check` to read.

    Raises:
        Error: The lock cannot be had. Whatever `fill` raises passes through.
    """
    target = folder() / name
    if not refresh and target.is_dir() and (unread is not None or _is_sound(target)):
        if unread is not None:
            unread.append(target)
        if prune:
            os.utime(target)
        return target
    with locked(name):
        if not refresh and _is_sound(target):
            return target
        # The names are fixed, so what a killed process left is found and removed here.
        part, old = (target.parent / f".{target.name}.{end}" for end in ("part", "old"))
        if not target.exists() and not refresh and _is_sound(old):
            return old.rename(target)
        if target.is_dir() and not refresh:
            print(
                f"otherkernel: {target} is damaged, or without checksums: it is made anew",
                file=sys.stderr,
            )
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            fill(part)
            (part / SUMS).write_text(_sums(part))
            # Moved aside, not removed: at no time is there half a folder under the name.
            if target.is_dir():
                target.rename(old)
            part.rename(target)
        finally:
            for left in (part, old):
                shutil.rmtree(left, ignore_errors=True)
    if prune:
        _forget_others(target)
    return target


def check(unread: list[Path]) -> None:
    """Compare folders with their checksums: those that `filled` did not read.

    Raises:
        Damaged: One is not what was put there; `filled` makes it anew.
    """
    for folder in unread:
        if not _is_sound(folder):
            raise Damaged(f"{folder} is damaged")


def _sums(folder: Path) -> str:
    """Return a line for each file and link of a folder: a digest, or where it leads."""
    lines = []
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            lines.append(f"{os.fsencode(os.readlink(path))!r} {name!r}\n")
        elif path.is_file() and path.name != SUMS:
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()} {name!r}\n")
    return "".join(lines)


def _is_sound(folder: Path) -> bool:
    """Tells whether a folder is there and holds what was once written into it."""
    try:
        return (folder / SUMS).read_text() == _sums(folder)
    except (OSError, ValueError):
        return False


def _forget_others(kept: Path) -> None:
    """Remove the neighbours of a cached folder that nobody used for long, or that are too much."""
    used: list[tuple[float, int, Path]] = []
    for other in kept.parent.iterdir():
        try:
            files = other.iterdir() if other.is_dir() else (other,)
            size = sum(file.stat().st_size for file in files)
            used.append((other.stat().st_mtime, size, other))
        except FileNotFoundError:
            continue  # another process was faster
    total = 0
    for last, size, other in sorted(used, reverse=True):
        total += size
        if other != kept and (total > _KEPT_BYTES or time.time() - last > _KEPT_SECONDS):
            if other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
            else:
                other.unlink(missing_ok=True)

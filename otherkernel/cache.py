"""The user's cache folder: where it is, and how several processes fill it without harm."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from otherkernel.errors import Error

# A download over a slow line may take minutes; after this time its process hangs or is gone.
LOCK_SECONDS = 1800.0
SUMS = ".sums"
# What nobody used for so long is removed, and so are all but the last few of its kind.
_KEPT_SECONDS = 7 * 86400
_KEPT = 6


def folder() -> Path:
    """Return the cache folder, made if need be: `OTHERKERNEL_CACHE`, or else the user's own.

    Raises:
        Error: It cannot be made.
    """
    chosen = os.environ.get("OTHERKERNEL_CACHE")
    path = Path(chosen) if chosen else platformdirs.user_cache_path("otherkernel")
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


def filled(name: str, fill: Callable[[Path], None], refresh: bool = False) -> Path:
    """Return the cached folder `name`, filled by `fill` if it is not there, or is damaged.

    The folder appears under its name only when it is complete, so a reader needs no lock. Each call
    reads all of it, to compare it with the checksums that were written with it.

    Args:
        name: Path relative to the cache folder.
        fill: Writes the content into the empty folder it is given.
        refresh: Fill anew even if it is there.

    Raises:
        Error: The lock cannot be had. Whatever `fill` raises passes through.
    """
    target = folder() / name
    if not refresh and _is_sound(target):
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
    return target


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


def forget(kept: Path) -> None:
    """Mark a cached folder as used, and remove those beside it that nobody used for long."""
    used: list[tuple[float, Path]] = []
    try:
        os.utime(kept)
        for other in kept.parent.iterdir():
            used.append((other.stat().st_mtime, other))
    except FileNotFoundError:
        return  # another process was faster
    used.sort(reverse=True)
    for number, (last, other) in enumerate(used):
        if number >= _KEPT or time.time() - last > _KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)

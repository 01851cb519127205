"""The user's cache folder: where it is, and how several processes fill it without harm."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from otherkernel.errors import Error

# A download over a slow line may take minutes; whoever waits longer than this waits for a corpse.
LOCK_SECONDS = 1800.0


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
        filelock.Timeout: Another process kept it for `LOCK_SECONDS`.
    """
    from filelock import FileLock  # noqa: PLC0415  (slow to import, and seldom needed)

    locks = folder() / "locks"
    locks.mkdir(exist_ok=True)
    with FileLock(locks / f"{name.replace('/', '_')}.lock", timeout=LOCK_SECONDS):
        yield


def filled(name: str, fill: Callable[[Path], None], refresh: bool = False) -> Path:
    """Return the cached folder `name`, filled by `fill` if it is not there yet.

    The folder appears under its name only when it is complete, so a reader needs no lock.

    Args:
        name: Path relative to the cache folder.
        fill: Writes the content into the empty folder it is given.
        refresh: Fill anew even if it is there.
    """
    target = folder() / name
    if target.is_dir() and not refresh:
        return target
    with locked(name):
        if target.is_dir() and not refresh:
            return target
        # The name is fixed, so what a killed process left is found and removed here.
        part = target.parent / f".{target.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            fill(part)
            if target.is_dir():
                shutil.rmtree(target)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target

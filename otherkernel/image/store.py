"""Keeps what was made of this machine's files, for as long as these are the same."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from otherkernel import cache
from otherkernel.image import hostfiles

_FOLDER = "guest"
# Archives that nobody used for so long are removed, and so are the oldest beyond so much: each
# change of what is installed makes others.
_KEPT_SECONDS = 7 * 86400
_KEPT_BYTES = 1 << 30


@dataclass
class Known:
    """Files that something found, and a hash of how they look."""

    paths: list[str]
    fingerprint: str


def sources() -> str:
    """Return a hash of the modules that make archives, and of those in them."""
    digest = sha256()
    package = Path(__file__).parent.parent
    for folder in (package, package / "guest", package / "image"):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def known(key: str, find: Callable[[], list[str]]) -> Known:
    """Return the paths that something finds, without finding them again while they look the same.

    Args:
        key: A name for what finds them, and for what else that depends on.
        find: Finds them, slowly.
    """
    folder = cache.folder() / _FOLDER
    file = folder / f"{key[:32]}.paths"
    try:
        fingerprint, *paths = file.read_text("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        pass
    else:
        if _look(paths) == fingerprint:
            return Known(paths, fingerprint)
    paths = find()
    found = Known(paths, _look(paths))
    folder.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
        part.write("\n".join((found.fingerprint, *paths)).encode("utf-8", "surrogateescape"))
    os.replace(part.name, file)
    return found


def _look(paths: list[str]) -> str:
    files = hostfiles.HostFiles()
    files.add_all(paths)
    return files.fingerprint()


def made(digest: str, fill: Callable[[Path], None]) -> Path:
    """Return the archive `cpio` that `fill` makes in the folder it is given, kept from now on.

    Args:
        digest: All that it depends on.
        fill: Makes it.
    """
    name = sha256(digest.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    folder = cache.filled(f"{_FOLDER}/{name}", fill)
    _forget(folder)
    return folder / "cpio"


def _forget(kept: Path) -> None:
    """Remove archives that nobody used for long, and mark this one as used."""
    os.utime(kept)
    used: list[tuple[float, int, Path]] = []
    for other in kept.parent.iterdir():
        try:
            size = (other / "cpio" if other.is_dir() else other).stat().st_size
            used.append((other.stat().st_mtime, size, other))
        except FileNotFoundError:
            continue  # another process was faster, or it is being made
    used.sort(reverse=True)
    total = 0
    for last, size, other in used:
        total += size
        if other != kept and (total > _KEPT_BYTES or time.time() - last > _KEPT_SECONDS):
            shutil.rmtree(other) if other.is_dir() else other.unlink(missing_ok=True)

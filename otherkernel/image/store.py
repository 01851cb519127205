"""Keeps what was made of this machine's files, for as long as these are the same."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from otherkernel import cache
from otherkernel.image import hostfiles

_FOLDER = "guest"


class Known(NamedTuple):
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


def made(digest: str, fill: Callable[[Path], None], unread: list[Path] | None = None) -> Path:
    """Return the archive `cpio` that `fill` makes in the folder it is given, kept from now on.

    Args:
        digest: All that it depends on.
        fill: Makes it.
        unread: See `cache.filled`.
    """
    name = sha256(digest.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache.filled(f"{_FOLDER}/{name}", fill, prune=True, unread=unread) / "cpio"

"""Sources to what is built of them: an example that has not changed is not built again.

A session's compilers are stand-ins, which look first if the same compiler has made the same of the
same input before (see `proof.compiler`). What they keep lies in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import time
from functools import lru_cache
from pathlib import Path

from proof import cache, compiler
from proof.errors import ProofError

_NAMES = re.compile(r"(?:cc|gcc|clang)(?:-\d+)?")
_KEPT_SECONDS = 30 * 86400
"""How long something is kept that nothing asks for."""


def put_compilers(tools: Path, home: Path, path: str) -> None:
    """Put the stand-ins into a session's directory of programs.

    Args:
        tools: That directory.
        home: The session's files.
        path: The PATH in which the real compilers are, as they are without it.
    """
    folder = _folder()
    if folder is None:
        return
    for name, real in _compilers(path).items():
        words = [sys.executable, "-IS", compiler.__file__, real, str(folder), str(home)]
        program = tools / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)


def _compilers(path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for directory in path.split(":"):
        with contextlib.suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if _NAMES.fullmatch(entry.name) and os.access(entry.path, os.X_OK):
                    found.setdefault(entry.name, entry.path)
    return found


@lru_cache
def _folder() -> Path | None:
    """Return where builds are kept, without what nobody has needed for long; None if nowhere."""
    try:
        folder = cache.folder() / "builds"
        folder.mkdir(exist_ok=True)
    except (ProofError, OSError):
        return None  # then everything is built
    oldest = time.time() - _KEPT_SECONDS
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):  # another process was faster
            if entry.stat().st_mtime < oldest:
                entry.unlink()
    return folder

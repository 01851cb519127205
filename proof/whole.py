"""Text to file, whole or not at all: a full disk or a killed process leaves what was there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from proof.errors import ProofError


def write_whole(path: Path, text: str, *, errors: str = "strict") -> None:
    """Write a file aside, and give it its name when it is whole. Newlines are written as they are.

    Args:
        path: The file; what a link of that name leads to is what is replaced.
        text: Its content.
        errors: What to do about characters that UTF-8 does not have, as of `str.encode`.

    Raises:
        ProofError: It could not be written; the file is as it was.
    """
    target = path.resolve()
    aside = None
    try:
        mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
        descriptor, aside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", errors))
            os.fchmod(file.fileno(), mode & 0o777)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(target)
    except OSError as error:
        if aside:
            with contextlib.suppress(OSError):
                Path(aside).unlink()
        raise ProofError(
            f"{path}: cannot be written, and is as it was: {error.strerror or error}"
        ) from error


def _umask() -> int:
    # To read it otherwise is to set it, which other threads would notice.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("Umask:")[2].split()[0], 8)

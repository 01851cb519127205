"""A session's private directory, of which nothing stays: no files, and nothing mounted there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from proof.errors import ProofError


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory, and remove it in the end.

    Raises:
        ProofError: Something in it cannot be removed.
    """
    directory = Path(tempfile.mkdtemp(prefix="proof-")).resolve()
    try:
        yield directory
    finally:
        # First, and whatever it takes: to remove what is mounted there would be to empty it.
        _unmount(directory)
        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise ProofError(
                f"{directory}: an example left what cannot be removed ({error}); let its last"
                " command remove it, and remove it here by hand"
            ) from error


def _unmount(directory: Path) -> None:
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    for path in reversed(_mounted(directory)):
        command = [*rights, "umount", "--lazy", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProofError(
                f"{path}: an example left this mounted, and it cannot be unmounted"
                f" ({done.stderr.strip()}); let its last command unmount it, and unmount it here"
            )


def _mounted(directory: Path) -> list[str]:
    """List what is mounted below a directory, in the order in which it was."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    points = [line.split(" ")[4] for line in lines.splitlines()]
    # White space in a path stands there in octal.
    plain = [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), point) for point in points]
    return [point for point in plain if Path(point).is_relative_to(directory)]

"""What an example tests: the packages of this repository that it uses, as they were when it ran.

A record keeps a hash of their files. The badge of a run with another hash says that it was of an
earlier version: what broke since is not known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from proof.errors import ProofError
from proof.example.examples import Example
from proof.settings import FILE, Settings


def digests(example: Example, root: Path, settings: Settings) -> dict[str, str]:
    """Return a hash of the files of each package whose name stands in an example's code.

    Args:
        example: The example.
        root: The root of the repository.
        settings: Its settings, of which `tested` says which files make a package.

    Raises:
        ProofError: A pattern of the settings matches no file.
    """
    code = "\n".join(
        text
        for session in example.sessions
        for text in (
            *(block.text for block in session.files.values()),
            *(command.text for command in session.commands),
        )
    )
    return {
        name: _hash(root, tuple(patterns.split()))
        for name, patterns in settings.tested.items()
        if re.search(rf"\b{re.escape(name)}\b", code)
    }


def earlier(tested: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Say which packages a run had in another version than there is now; "" if none.

    Args:
        tested: The hashes of the run.
        now: Those of today.
    """
    names = [name for name, hashed in now.items() if tested.get(name) != hashed]
    return f"with an earlier {', '.join(names)}" if names else ""


@lru_cache
def _hash(root: Path, patterns: tuple[str, ...]) -> str:
    """Hash the files that match, names and contents; once a process."""
    made = hashlib.sha256()
    for pattern in patterns:
        files = [path for path in sorted(root.glob(pattern)) if path.is_file()]
        if not files:
            raise ProofError(f"{root / FILE}: `tested` names {pattern}, which is no file")
        for path in files:
            text = path.read_bytes()
            made.update(f"{path.relative_to(root).as_posix()} {len(text)}\n".encode() + text)
    return made.hexdigest()[:16]

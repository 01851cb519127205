"""Which versions of which programs a session has, for its record."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping

from proof.run.shell import PATH


def versions(tools: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of programs as a session finds them, by their names.

    Args:
        tools: What prints each version.
    """
    return {name: _version(command) for name, command in tools.items()}


def _version(command: str) -> str:
    """Return the version that a program says it has, after its name if it goes by another."""
    words = shlex.split(command)
    env = {"LANG": "C.UTF-8", "PATH": PATH}
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    first = done.stdout.partition("\n")[0]
    number = re.search(r"\d+(\.\d+)+", first)
    if number is None:
        return first
    # `cc` says only there which compiler it is; Debian's gcc goes by the name it was called by.
    name = first.split(" ")[0] if words[0] == "cc" else ""
    return f"{'gcc' if name == 'cc' else name} {number[0]}".strip()

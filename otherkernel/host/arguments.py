"""A command as `subprocess` takes it: its words and its environment."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Arg = str | bytes | os.PathLike[str]


def words(args: Arg | Sequence[Arg], shell: bool) -> list[bytes]:
    """Return a command's words, as `subprocess` would make them.

    Raises:
        ValueError: There are none.
    """
    single = isinstance(args, (str, bytes, os.PathLike))
    listed = [args] if single else list(args)  # type: ignore[arg-type]
    found = [os.fsencode(arg) for arg in listed]  # type: ignore[arg-type]
    if not found:
        raise ValueError("the command is empty")
    return [b"/bin/sh", b"-c", *found] if shell else found


def environment(env: Mapping[str, str] | None) -> dict[bytes, bytes]:
    """Return a command's environment: the one given, or a plain one that finds this Python."""
    if env is None:
        python = str(Path(sys.executable).parent)
        places = [python, *(f"/usr/{where}" for where in ("local/sbin", "local/bin"))]
        env = {
            "PATH": ":".join([*places, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
            "HOME": "/root",
            "USER": "root",
            "LOGNAME": "root",
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
        }
        for name in ("PYTHONPATH",):
            if name in os.environ:
                env[name] = os.environ[name]
        if sys.prefix != sys.base_prefix:
            env["VIRTUAL_ENV"] = sys.prefix
    return {os.fsencode(key): os.fsencode(value) for key, value in env.items()}

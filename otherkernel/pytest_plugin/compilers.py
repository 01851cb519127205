"""What `clang`, `cc` and their kin are in a guest, which has none: callers of the host's.

Tests compile as they do anywhere. This program hands the command to the pytest that started it, as
it is (`Compilers`), and that to the host, which has the same sources at the same places; the
compiled file comes back.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

MARK = "\x1ecompile "
"""Begins a line that asks the host to compile."""

NAMES = ("clang", "cc", "gcc", "pkg-config")
_SOCKET = "OTHERKERNEL_COMPILERS"
_LENGTH = struct.Struct("<I")

Answer = tuple[int, str, bytes]
"""Exit status, what the compiler said, and the compiled file."""


def pack(answer: Answer) -> bytes:
    """Return an answer as it is sent."""
    status, said, made = answer
    parts = (str(status).encode(), said.encode(), made)
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def unpack(read: Callable[[int], bytes]) -> Answer:
    """Read an answer."""

    def whole(length: int) -> bytes:
        data = b""
        while len(data) < length:
            data += read(length - len(data)) or sys.exit("the answer was cut off")
        return data

    status, said, made = (whole(*_LENGTH.unpack(whole(_LENGTH.size))) for _ in range(3))
    return int(status), said.decode(), made


def install(folder: Path) -> Iterator[Path]:
    """Write the programs into a folder; yields each."""
    folder.mkdir()
    for name in NAMES:
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {__file__} {name} "$@"\n')
        program.chmod(0o755)
        yield program


class Compilers:
    """Takes what the programs ask for, in the pytest that started them.

    Args:
        folder: Where they are.
        ask: Asks the host, which answers one question at a time.
    """

    def __init__(self, folder: Path, ask: Callable[[str], Answer]) -> None:
        list(install(folder))
        self._ask = ask
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / "socket"))
        self._listening.listen()
        os.environ[_SOCKET] = str(folder / "socket")
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            line, _ = self._listening.accept()
            with line, line.makefile() as file:
                line.sendall(pack(self._ask(file.readline().rstrip("\n"))))


def main() -> int:
    """Ask for a compilation; return the compiler's status."""
    words = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ[_SOCKET])
        line.sendall(f"{json.dumps([words, os.getcwd()])}\n".encode())
        status, said, made = unpack(line.recv)
    # Compilers complain; what makes nothing was asked something.
    (sys.stderr if "-o" in words else sys.stdout).write(said)
    if status == 0 and "-o" in words:
        target = Path(words[words.index("-o") + 1])
        target.write_bytes(made)
        target.chmod(0o755)
    return status


if __name__ == "__main__":
    sys.exit(main())

"""A guest of which the test plays the agent: the other end of the line, without any emulator."""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from otherkernel import wire
from otherkernel.host import qemu
from otherkernel.host.boot import Boot
from otherkernel.host.command import Command
from otherkernel.host.streams import Streams
from otherkernel.host.workdirs import Workdirs

SEAL = b"\x01seal\xffno"
MORE, SHARED, ACKNOWLEDGE = 1, 2, 4


def frame(
    kind: int, payload: bytes = b"", flags: int = 0, length: int | None = None, seal: bytes = SEAL
) -> bytes:
    """Return a frame, whatever its fields say."""
    size = len(payload) if length is None else length
    return wire._HEADER.pack(seal, kind, flags, size) + payload


HELLO = frame(wire.HELLO, b"6.99-fake\nshared\n" + SEAL, seal=wire.SEAL)


class _Process:
    """What stands for QEMU's."""

    pid = 0
    stderr = None

    def kill(self) -> None:
        """Nothing is there to kill."""

    def wait(self, timeout: float | None = None) -> int:
        """Be gone at once."""
        return 0

    def poll(self) -> int:
        """Be gone."""
        return 0


class FakeGuest:
    """The guest's end of a booted machine.

    Args:
        monkeypatch: Puts it into the place of QEMU.
        hello: What it greets the host with.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hello: bytes = HELLO) -> None:
        ours, self.line = socket.socketpair()
        console, self._console = socket.socketpair()
        self.shared = mmap.mmap(-1, wire.SHARED_SIZE)
        emulator = qemu.Emulator(_Process(), console, ours, self.shared)  # type: ignore[arg-type]
        monkeypatch.setattr(qemu, "start", lambda *args: emulator)
        # Nothing is on its console, which else would be waited for.
        monkeypatch.setattr(Boot, "_drain_console", lambda *args: None)
        self.line.sendall(hello)
        try:
            self.boot = Boot(Path("/none"), Path("/none"), 1, 1, kvm=False, limit=10)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        self.boot.close()

    def close(self) -> None:
        """Hang up."""
        self.line.close()
        self._console.close()

    def says(self, *frames: bytes, hangs_up: bool = True) -> None:
        """Send frames, which the host reads when it looks, and no more after them."""
        self.line.sendall(b"".join(frames))
        if hangs_up:
            self.line.shutdown(socket.SHUT_WR)

    def bring(self, name: bytes, root: bytes) -> None:
        """Send nothing: this guest has all it needs."""

    def run(
        self, folder: Path | None, timeout: float | None = None, given: bytes | None = None
    ) -> tuple[int, bytes]:
        """Run a command on the host's side; return its status and output."""
        where = Streams(None, given, subprocess.PIPE, subprocess.PIPE, None)
        root = os.fsencode(folder) if folder else b""
        order = wire.Order([b"x"], b"/", {}, False, (), root, False, 0.0)
        status = Command(self.boot, order, where, None, self.bring).finish(Workdirs(), timeout)
        return status, where.raw[0] or b""

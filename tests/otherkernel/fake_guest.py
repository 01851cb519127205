"""A guest of which the test plays the agent: the other end of the line, without any emulator."""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from otherkernel import wire
from otherkernel.host import qemu
from otherkernel.host.boot import Boot
from otherkernel.host.command import Command
from otherkernel.host.streams import Streams
from otherkernel.host.workdirs import Workdir

SEAL = b"\x01seal\xffno"
MORE, SHARED, ACKNOWLEDGE = 1, 2, 4


def frame(
    kind: int,
    payload: bytes = b"",
    flags: int = 0,
    length: int | None = None,
    seal: bytes = SEAL,
    channel: int = 1,
) -> bytes:
    """Return a frame, whatever its fields say."""
    size = len(payload) if length is None else length
    return wire._HEADER.pack(seal, kind, flags, channel, size) + payload


HELLO = frame(wire.HELLO, b"6.99-fake\nshared\n" + SEAL, seal=wire.SEAL, channel=0)
RECEIPT = frame(0, channel=0)


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
        self._answering: threading.Thread | None = None
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
        self.boot.close()
        if self._answering:
            self._answering.join()
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.line.close()
        self._console.close()

    def says(
        self,
        *frames: bytes,
        then: tuple[bytes, ...] = (),
        more: bytes = b"",
        receipts: bool = True,
        hangs_up: bool = True,
    ) -> None:
        """Have it take in what the host sends, and answer.

        Args:
            frames: What it says when a command is to run.
            then: What it says when the files of that are to come back.
            more: What it says whenever it may say more of a command's output.
            receipts: It sends some.
            hangs_up: It says no more after all that.
        """
        script = {wire.RUN: b"".join(frames), wire.RETURN: b"".join(then), wire.TOOK: more}
        last = wire.RETURN if then else wire.RUN

        def answer(kind: int, flags: int) -> None:
            receipt = RECEIPT if receipts and flags & ACKNOWLEDGE else b""
            self.line.sendall(receipt + (b"" if flags & MORE else script.get(kind, b"")))
            if kind == last and hangs_up and not flags & MORE:
                self.line.shutdown(socket.SHUT_WR)

        self._answering = threading.Thread(target=self._listen, args=(answer,))
        self._answering.start()

    def _listen(self, answer: Callable[[int, int], None]) -> None:
        data = b""
        size = wire._HEADER.size
        try:
            while more := self.line.recv(65536):
                data += more
                while len(data) >= size:
                    _, kind, flags, _, length = wire._HEADER.unpack_from(data)
                    body = size + (0 if flags & SHARED else length)
                    if len(data) < body:
                        break
                    data = data[body:]
                    answer(kind, flags)
        except OSError:
            pass  # the host hung up

    def run(
        self, folder: Path | None, timeout: float | None = None, given: bytes | None = None
    ) -> tuple[int, bytes]:
        """Run a command on the host's side; return its status and output."""
        where = Streams(None, given, subprocess.PIPE, subprocess.PIPE, None)
        root = os.fsencode(folder) if folder else b""
        order = wire.Order([b"x"], b"/", {}, False, (), root, False, 0.0)
        workdir = Workdir(root) if folder else None
        status = Command(self.boot, order, where, workdir).finish(timeout)
        return status, where.raw[0] or b""

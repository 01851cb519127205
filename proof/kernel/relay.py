"""What stands for sudo in a session that has no privilege of its own: the end that has some.

That is the process that owns a virtual machine, or one that is root.
"""

from __future__ import annotations

import marshal
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proof.errors import KernelLost, ProofError
from proof.kernel import shim, sudo
from proof.kernel.shim import LENGTH, STATUS

AT_ONCE = 64
"""Commands with sudo that a session may run at a time."""

_NOT_RUN = 1
"""Status of a `sudo` whose command was not started, as of the real one."""


@dataclass(frozen=True)
class Request:
    """A command that a session's `sudo` asks for.

    Attributes:
        words: The command.
        cwd: The path of its directory; "" if that was removed.
        env: The environment that sudo was called in.
        streams: Descriptors of its standard input, output and error.
        directory: A descriptor of its directory.
        signals: A socket from which signals for it come, a byte each.
        closing: Readable as soon as the session is over.
    """

    words: list[str]
    cwd: str
    env: dict[str, str]
    streams: tuple[int, int, int]
    directory: int
    signals: int
    closing: int


class Relay:
    """Takes the commands of one session from its `sudo`, and has them run.

    Args:
        tools: The directory that `sudo` goes into, and the socket beside it.
        run: Runs a command; returns its status. Threads call it.

    Attributes:
        failure: The error by which the guest was lost, or a command could not be handed to it.
    """

    def __init__(self, tools: Path, run: Callable[[Request], int]) -> None:
        self.failure: ProofError | None = None
        self._run = run
        self._free = threading.Semaphore(AT_ONCE)
        self._threads: list[threading.Thread] = []
        self._closing = os.eventfd(0)
        self._closed = False
        self._listening = socket.socket(socket.AF_UNIX)
        folder = os.open(tools, os.O_PATH)
        try:
            # By way of its folder, as the name of a socket must be short.
            self._listening.bind(f"/proc/self/fd/{folder}/kernel")
            # The session may be another user's; no other comes to where it is.
            Path(f"/proc/self/fd/{folder}/kernel").chmod(0o666)
        finally:
            os.close(folder)
        self._listening.listen()
        sudo.install(tools, [sys.executable, "-IS", shim.__file__, str(tools / "kernel")])
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Take no more commands, and end those that run: their callers are gone."""
        self._closed = True
        os.eventfd_write(self._closing, 1)
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()
        for thread in self._threads:
            thread.join()
        os.close(self._closing)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(line,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, line: socket.socket) -> None:
        descriptors: list[int] = []
        with line:
            try:
                head, descriptors, _, _ = socket.recv_fds(line, LENGTH.size, 4)
                (length,) = LENGTH.unpack(head)
                request = line.recv(length, socket.MSG_WAITALL)
                words, cwd, env = marshal.loads(request)  # noqa: S302  (from our program)
                read, write, error, directory = descriptors
                if not self._closed:
                    status = self._do(
                        Request(
                            words,
                            cwd,
                            env,
                            (read, write, error),
                            directory,
                            line.fileno(),
                            self._closing,
                        )
                    )
                    line.sendall(STATUS.pack(status))
            except (OSError, ValueError, EOFError, struct.error):
                return  # the caller was killed meanwhile
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _do(self, request: Request) -> int:
        if not self._free.acquire(blocking=False):
            why = f"{AT_ONCE} commands run already, which is all that may run at a time"
            self.failure = self.failure or ProofError(f"{request.words}: {why}")
            return _refuse(request, why)
        try:
            return self._run(request)
        except KernelLost as error:
            self.failure = self.failure or error
            return _refuse(request, str(error).splitlines()[0])
        except (ProofError, OSError) as error:
            self.failure = self.failure or ProofError(f"the command could not be run: {error}")
            return _refuse(request, str(error))
        finally:
            self._free.release()


def _refuse(request: Request, why: str) -> int:
    os.write(request.streams[2], f"sudo: {why}\n".encode())
    return _NOT_RUN

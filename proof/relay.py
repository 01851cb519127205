"""What stands for sudo in a session that has no privilege of its own: the end that has some.

That is the process that owns a virtual machine, or one that is root.
"""

from __future__ import annotations

import marshal
import os
import shlex
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from proof import shim
from proof.errors import GuestError, ProofError
from proof.shim import LENGTH, STATUS

_NOT_RUN = 1
"""Status of a `sudo` whose command was not started, as of the real one."""

Run = Callable[..., int]


class Relay:
    """Takes the commands of one session from its `sudo`, and has them run.

    Args:
        tools: The directory that `sudo` goes into, and the socket beside it.
        run: Runs a command: its words, directory, environment, the descriptors of its three
            streams, and one from which signals for it come; returns its status.
        at_once: How many may run at a time.

    Attributes:
        failure: The error by which the guest was lost, or a command could not be handed to it.
    """

    def __init__(self, tools: Path, run: Run, *, at_once: int = 1) -> None:
        self.failure: ProofError | None = None
        self._run = run
        self._free = threading.Semaphore(at_once)
        self._threads: list[threading.Thread] = []
        self._listening = socket.socket(socket.AF_UNIX)
        folder = os.open(tools, os.O_PATH)
        try:
            # By way of its folder, as the name of a socket must be short.
            self._listening.bind(f"/proc/self/fd/{folder}/kernel")
        finally:
            os.close(folder)
        self._listening.listen()
        program = tools / "sudo"
        words = [sys.executable, "-IS", shim.__file__, str(tools / "kernel")]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Take no more commands, and wait for those that run: their callers are gone."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()
        for thread in self._threads:
            thread.join()

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
        streams: list[int] = []
        with line:
            try:
                head, streams, _, _ = socket.recv_fds(line, LENGTH.size, 3)
                (length,) = LENGTH.unpack(head)
                order = line.recv(length, socket.MSG_WAITALL)
                words, cwd, env = marshal.loads(order)  # noqa: S302  (from our own program)
                status = self._do(words, cwd, env, streams, line.fileno())
                line.sendall(STATUS.pack(status))
            except (OSError, ValueError, EOFError):
                return  # the caller was killed meanwhile
            finally:
                for descriptor in streams:
                    os.close(descriptor)

    def _do(
        self, words: list[str], cwd: str, env: dict[str, str], streams: list[int], signals: int
    ) -> int:
        if not self._free.acquire(blocking=False):
            why = (
                "a virtual machine runs one command at a time, and another one still runs; put both"
                " into one: sudo sh -c 'first & second; wait'"
            )
            self.failure = self.failure or ProofError(f"{words}: {why}")
            return _refuse(streams, why)
        try:
            return self._run(words, cwd, env, streams, signals)
        except GuestError as error:
            self.failure = self.failure or error
            return _refuse(streams, error.cause)
        except (ProofError, OSError) as error:
            self.failure = self.failure or ProofError(f"the command could not be run: {error}")
            return _refuse(streams, str(error))
        finally:
            self._free.release()


def _refuse(streams: list[int], why: str) -> int:
    os.write(streams[2], f"sudo: {why}\n".encode())
    return _NOT_RUN

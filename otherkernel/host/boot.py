"""A guest: boots it, waits for its greeting, and watches over the line to it."""

import select
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from otherkernel import wire
from otherkernel.errors import BootFailed, GuestError
from otherkernel.host import diagnosis, qemu
from otherkernel.host.console import Console
from otherkernel.host.line import Line, plain

PING_SECONDS = 5.0  # silence after which the guest is asked whether it lives
DEAD_SECONDS = 60.0  # silence after which it does not; generous, for hosts under load


class Boot:
    """One boot of a kernel, and the line to its agent.

    Args:
        kernel: A vmlinux or vmlinuz.
        archive: The guest's files.
        memory: The guest's, in MiB.
        cpus: How many processors it has.
        kvm: Use the processor's virtualisation.
        limit: Seconds until it must have answered.
        meanwhile: Called while it boots; whatever that raises ends the boot.

    Raises:
        GuestPanic: Its kernel panicked.
        BootFailed: It did not come up, for another reason.
    """

    def __init__(
        self,
        kernel: Path,
        archive: Path,
        memory: int,
        cpus: int,
        kvm: bool,
        limit: float,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Boots it."""
        self.console = Console()
        self.memory = memory
        self._pinged = False
        self._heard = time.monotonic()
        self._emulator = qemu.start(kernel, archive, memory, cpus, kvm)
        try:
            meanwhile()
            self.link = Line(self._emulator.line.fileno(), self._wait_for_receipt)
            self.link.shared = self._emulator.shared
            deadline = time.monotonic() + limit
            self._boot_deadline: float | None = deadline
            while not self.link.inbox:
                self.wait(deadline)
            kind, payload = self.link.take()
            if kind != wire.HELLO:
                raise BootFailed(f"the guest's agent failed: {plain(payload)}", self.console.tail())
            self._boot_deadline = None
            self.release = self.link.release
            if not self.link.shares:
                self.link.shared = None
        except BaseException:
            self.close()
            raise

    @property
    def process_id(self) -> int:
        """The emulator's process."""
        return self._emulator.process.pid

    def close(self) -> None:
        """Kills the guest."""
        self._emulator.close()

    def begin(self) -> None:
        """Start a command: silence and the memory killer's victims count from here."""
        self._heard = time.monotonic()
        self._pinged = False
        self._drain_console(0.0)
        self.console.mark()

    def send(self, kind: int, payload: bytes = b"") -> None:
        """Send the guest a message.

        Raises:
            GuestError: The guest is no more; which of its kinds says why.
        """
        try:
            self.link.send(kind, payload)
        except wire.Garbled as error:
            raise self.lied(str(error)) from error
        except ConnectionError as error:
            raise self.gone(str(error)) from error

    def wait(self, deadline: float | None = None, also: Sequence[int] = ()) -> bool:
        """Wait for messages, and put them into the link's inbox.

        Args:
            deadline: Of `time.monotonic`; without one until there is a message.
            also: Descriptors of which one that can be read ends the waiting too.

        Returns:
            Whether there is a message; if not, the deadline passed or another descriptor can be
            read.

        Raises:
            GuestError: The guest is no more; which of its kinds says why.
        """
        while not self.link.inbox:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                if self._boot_deadline is not None:
                    raise BootFailed(
                        "the guest did not come up in time: its kernel or its first program hangs, "
                        "or the host is overloaded",
                        self.console.tail(),
                    )
                return False
            self._check_alive(now)
            self._poll(1.0 if deadline is None else min(1.0, deadline - now), also=also)
            if not self.link.inbox and self.readable(list(also)):
                return False
        return True

    @staticmethod
    def readable(descriptors: list[int]) -> list[int]:
        """Return those of some descriptors that can be read now."""
        ready: list[int] = select.select(descriptors, [], [], 0)[0]
        return ready

    def _check_alive(self, now: float) -> None:
        """Ask a silent guest whether it lives, and give it up when it does not answer."""
        silent = now - self._heard
        if self._boot_deadline is not None:
            return
        if silent > DEAD_SECONDS:
            raise self.hung(f"it has not answered for {silent:.0f} seconds")
        if silent > PING_SECONDS and not self._pinged:
            self._pinged = True
            self.send(wire.PING)

    def _wait_for_receipt(self) -> None:
        """Wait until the line can be read."""
        self._check_alive(time.monotonic())
        while not self._poll(1.0, receive=False):
            self._check_alive(time.monotonic())

    def _poll(self, seconds: float, receive: bool = True, also: Sequence[int] = ()) -> bool:
        """Look at the console and the line; True if the line had something."""
        emulator = self._emulator
        watched: list[socket.socket | int] = [emulator.line, emulator.console, *also]
        ready, _, _ = select.select(watched, [], [], seconds)
        if emulator.console in ready:
            data = emulator.console.recv(65536)
            if not data:
                raise self.gone()
            self.console.feed(data)
        if emulator.line not in ready:
            return False
        self._heard = time.monotonic()
        self._pinged = False
        if receive:
            try:
                alive = self.link.receive()
            except wire.Garbled as error:
                raise self.lied(str(error)) from error
            except ConnectionError as error:
                raise self.gone(str(error)) from error
            if not alive:
                raise self.gone()
        return True

    def _drain_console(self, seconds: float) -> None:
        """Take in what is left of the console, to its end or for some time."""
        deadline = time.monotonic() + seconds
        for _ in range(200):  # a console may be written to without end
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._emulator.console], [], [], left)[0]:
                return
            try:
                data = self._emulator.console.recv(65536)
            except ConnectionError:
                return
            if not data:
                return
            self.console.feed(data)

    def settle_console(self, seconds: float, until_killed: int = 0) -> None:
        """Take in what the console has, waiting for so many of the memory killer's lines."""
        deadline = time.monotonic() + seconds
        self._drain_console(0.02)
        while len(self.console.killed()) < until_killed and time.monotonic() < deadline:
            self._drain_console(0.02)

    def lied(self, what: str) -> GuestError:
        """Kill a guest that sends what no guest of ours would, and return the error to raise."""
        self._drain_console(0.0)
        self.close()
        return GuestError(f"the guest sent what makes no sense: {what}", self.console.tail())

    def hung(self, why: str) -> GuestError:
        """Kill a guest that does not answer, and return the error to raise."""
        self._drain_console(0.2)
        self.close()
        return diagnosis.hung(why, self.console, self.memory)

    def gone(self, detail: str = "") -> GuestError:
        """Close a guest whose line broke, and return the error to raise."""
        self._drain_console(2.0)
        try:
            status: int | None = self._emulator.process.wait(2.0)
        except subprocess.TimeoutExpired:
            status = None
        complaint = self._emulator.complaint()
        self.close()
        return diagnosis.gone(
            status, complaint if status is not None else detail, self.console, self.memory
        )

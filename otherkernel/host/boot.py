"""A guest: boots it, waits for its greeting, and watches over the line to it."""

import copy
import select
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from otherkernel import wire
from otherkernel.errors import BootFailed, GuestError
from otherkernel.host import diagnosis, qemu
from otherkernel.host.console import Console
from otherkernel.host.line import Bell, Channel, Line, plain

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
        self._lost: GuestError | None = None
        self._verdict: Callable[[], GuestError] | None = None
        self._emulator = qemu.start(kernel, archive, memory, cpus, kvm)
        self.link = Line(self._emulator.line.fileno())
        self.link.shared = self._emulator.shared
        self._wake = Bell()
        self._pump = threading.Thread(target=self._watch, name="otherkernel-line", daemon=True)
        try:
            meanwhile()
            self._pump.start()
            greeting = self.next(self.link.channels[0], time.monotonic() + limit)
            if greeting is None:
                raise BootFailed(
                    "the guest did not come up in time: its kernel or its first program hangs, "
                    "or the host is overloaded",
                    self.console.tail(),
                )
            kind, payload = greeting
            if kind != wire.HELLO:
                raise BootFailed(f"the guest's agent failed: {plain(payload)}", self.console.tail())
            self.release = self.link.release
        except BaseException:
            self.close()
            raise

    @property
    def process_id(self) -> int:
        """The emulator's process."""
        return self._emulator.process.pid

    @property
    def is_lost(self) -> bool:
        """Whether the guest is no more."""
        return self._lost is not None

    def close(self) -> None:
        """Kills the guest; who waits for it gets an error."""
        self._lose(GuestError("the guest was closed meanwhile"))
        self._emulator.kill()
        if self._pump.is_alive():
            self._pump.join()
        self._emulator.close()

    def open(self) -> Channel:
        """Return a channel for a command."""
        self._check()
        with self.link.changed:
            if len(self.link.channels) == 1:  # the memory killer's victims count from here
                self.console.mark()
            return self.link.open()

    def post(self, kind: int, payload: bytes = b"", channel: int = 0) -> int:
        """Send the guest a message, without waiting for it to be on its way; return its number.

        Raises:
            GuestError: The guest is no more; which of its kinds says why. So do all methods.
        """
        self._check()
        try:
            return self.link.post(kind, payload, channel)
        except ConnectionError as error:
            detail = str(error)
            raise self.given_up(lambda: self._gone(detail)) from error

    def send(self, kind: int, payload: bytes = b"", channel: int = 0) -> None:
        """Send the guest a message, and wait until it is on its way: there may be much of it."""
        number = self.post(kind, payload, channel)
        with self.link.changed:
            self.link.changed.wait_for(lambda: self._lost or self.link.is_sent(number))
        self._check()

    def next(self, channel: Channel, deadline: float | None = None) -> tuple[int, bytes] | None:
        """Wait for a message, and return it; None if the deadline (`time.monotonic`) passes."""
        while (message := self.link.take(channel)) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self.wait(channel, left)
        return message

    def wait(self, channel: Channel, seconds: float | None, also: Sequence[int] = ()) -> list[int]:
        """Wait for a message or some seconds; return those other descriptors that can be read."""
        self._check()
        bell = channel.bell.fileno()
        ready: list[int] = select.select([bell, *also], [], [], seconds)[0]
        return [each for each in ready if each != bell]

    def given_up(self, why: Callable[[], GuestError]) -> GuestError:
        """Kill the guest; return the error to raise.

        Args:
            why: Makes it, if nothing else has befallen the guest.
        """
        with self.link.changed:
            self._verdict = self._verdict or why
            self._wake.ring()
            self.link.changed.wait_for(lambda: self._lost)
        return copy.copy(self._lost or why())

    def _check(self) -> None:
        """Raise the error by which the guest was lost, a fresh one for each who asks."""
        if self._lost is not None:
            raise copy.copy(self._lost)

    def _lose(self, error: GuestError) -> None:
        """Wake all who wait for the guest, which is no more; only the first error counts."""
        with self.link.changed:
            self._lost = self._lost or error
            self.link.changed.notify_all()
            for channel in self.link.channels.values():
                channel.bell.ring()
        self._wake.ring()

    def _watch(self) -> None:
        """Receive what the guest says, and watch over it, until it is lost."""
        try:
            while self._lost is None and self._verdict is None:
                self._ask_whether_alive()
                self._poll(1.0)
            error = self._verdict() if self._verdict else None
        except wire.Garbled as garbled:
            error = self.lied(str(garbled))
        except ConnectionError as broken:
            error = self._gone(str(broken))
        except BaseException as other:
            self._lose(GuestError(f"the thread that listens to the guest failed: {other!r}"))
            raise
        if error is not None:
            self._emulator.kill()
            self._lose(error)

    def _ask_whether_alive(self) -> None:
        """Ask a silent guest whether it lives, and give it up when it does not answer."""
        if len(self.link.channels) == 1:  # it has nothing to do
            self._heard = time.monotonic()
            self._pinged = False
        silent = time.monotonic() - self._heard
        if silent > DEAD_SECONDS:
            self._verdict = lambda: self.hung(f"it has not answered for {silent:.0f} seconds")
        elif silent > PING_SECONDS and not self._pinged:
            self._pinged = True
            self.link.post(wire.PING)

    def _poll(self, seconds: float) -> None:
        """Look at the console and the line."""
        emulator = self._emulator
        watched = (emulator.line, emulator.console, self._wake)
        ready = select.select([each.fileno() for each in watched], [], [], seconds)[0]
        if emulator.console.fileno() in ready:
            data = emulator.console.recv(65536)
            if not data:
                raise ConnectionResetError("its console was closed")
            self._print(data)
        if emulator.line.fileno() in ready:
            self._heard = time.monotonic()
            self._pinged = False
            if not self.link.receive():
                raise ConnectionResetError("it was closed")

    def _print(self, data: bytes) -> None:
        with self.link.changed:
            self.console.feed(data)
            self.link.changed.notify_all()

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
            self._print(data)

    def settle_console(self, seconds: float, until_killed: int) -> None:
        """Wait some seconds for so many of the memory killer's lines."""
        with self.link.changed:
            self.link.changed.wait_for(
                lambda: self._lost or len(self.console.killed()) >= until_killed, seconds
            )

    # These are for the thread that listens only.

    def lied(self, what: str) -> GuestError:
        """Return the error for a guest that sends what no guest of ours would."""
        self._drain_console(0.0)
        return GuestError(f"the guest sent what makes no sense: {what}", self.console.tail())

    def hung(self, why: str) -> GuestError:
        """Return the error for a guest that does not answer."""
        self._drain_console(0.2)
        return diagnosis.hung(why, self.console, self.memory)

    def _gone(self, detail: str) -> GuestError:
        """Return the error for a guest whose line broke."""
        self._drain_console(2.0)
        try:
            status: int | None = self._emulator.process.wait(2.0)
        except subprocess.TimeoutExpired:
            status = None
        complaint = self._emulator.complaint()
        return diagnosis.gone(
            status, complaint if status is not None else detail, self.console, self.memory
        )

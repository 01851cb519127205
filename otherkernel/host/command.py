"""One command in a guest, seen from the host: from the first file sent to the last one back."""

import os
import subprocess
import time
from collections.abc import Callable

from otherkernel import tree, wire
from otherkernel.errors import EmulatorDied, GuestError, GuestOutOfMemory
from otherkernel.host import streams, workdirs
from otherkernel.host.boot import Boot

KILL_SECONDS = 20.0  # for the guest to kill a command and say so


class Command:
    """A command on its way.

    Args:
        boot: Where it runs.
        order: The command.
        streams: Where its streams go.
        signals: A descriptor from which the numbers of signals for it can be read, a byte each; its
            end kills the command. None if nobody sends any.
        bring: Sends what the guest asks for by a name; its second argument is `order.root`.

    Attributes:
        busy: The guest is not waiting for a command.
    """

    def __init__(
        self,
        boot: Boot,
        order: wire.Order,
        streams: streams.Streams,
        signals: int | None,
        bring: Callable[[bytes, bytes], None],
    ) -> None:
        """Do nothing yet."""
        self.busy = False
        self._boot = boot
        self._order = order
        self._streams = streams
        self._signals = signals
        self._bring = bring
        self._wanted = True  # the command has room for input

    def finish(self, workdirs: workdirs.Workdirs, timeout: float | None) -> int:
        """Run the command to its end; return its status as `subprocess` gives it.

        Args:
            workdirs: What the guest has.
            timeout: Seconds, then it is killed.

        Raises:
            subprocess.TimeoutExpired: It was.
            GuestError: The guest failed.
            OSError: The command could not be started.
        """
        order = self._order
        started = time.monotonic()
        self._boot.begin()
        if order.root:
            order.fresh = workdirs.send(order.root, lambda pack: self._send(wire.FILES, pack))
        order.time = time.time()
        self._send(wire.RUN, order.pack())
        payload, expired = self._follow(None if timeout is None else started + timeout)
        if order.root:
            workdirs.took_back(order.root)
        self.busy = False
        status, struck = wire.EXIT_STATUS.unpack(payload)
        if struck:
            raise self._out_of_memory(struck)
        if expired and timeout is not None:
            raise subprocess.TimeoutExpired(order.args, timeout, *self._streams.raw)
        return os.waitstatus_to_exitcode(status)

    def _follow(self, deadline: float | None) -> tuple[bytes, bool]:
        """Pass on what the command does; return how it ended, and whether its time was over."""
        boot = self._boot
        expired = False
        while True:
            source = self._streams.source if self._wanted else None
            if self._wanted and source is None:
                self._feed()
            also = [fd for fd in (source, self._signals) if fd is not None]
            if boot.wait(deadline, also):
                answer = self._hear(*boot.link.inbox.popleft())
                if answer is not None:
                    return answer, expired
            elif deadline is None or time.monotonic() < deadline:
                for descriptor in boot.readable(also):
                    if descriptor == source:
                        self._feed()
                    else:
                        self._signal()
            elif expired:
                raise boot.hung(
                    f"it did not kill a command in {KILL_SECONDS:.0f} seconds after its time was "
                    "over"
                )
            else:
                expired = True
                deadline = time.monotonic() + KILL_SECONDS
                self._send(wire.KILL)

    def _hear(self, kind: int, payload: bytes) -> bytes | None:
        """Do what the guest's message asks for; return how the command ended, if it has."""
        if kind in (wire.STDOUT, wire.STDERR):
            self._streams.write(kind == wire.STDERR, payload)
        elif kind == wire.FILES:
            tree.apply(self._order.root, payload)
        elif kind == wire.ASK:
            self._bring(payload, self._order.root)
        elif kind == wire.WANT:
            self._wanted = True
        elif kind == wire.REFUSED:
            self.busy = False
            number, _, path = payload.decode().partition("\n")
            raise OSError(int(number), os.strerror(int(number)), path)
        elif kind == wire.BROKEN:
            raise EmulatorDied(
                f"the guest's agent failed:\n{payload.decode()}", self._boot.console.tail()
            )
        return payload if kind == wire.EXIT else None

    def _feed(self) -> None:
        """Send the command its next piece of input; after the last one it wants no more."""
        self._wanted = False
        self._send(wire.STDIN, self._streams.read())

    def _signal(self) -> None:
        """Pass on a signal, or that whoever sent them is gone."""
        number = os.read(self._signals, 1) if self._signals is not None else b""
        if not number:
            self._signals = None
        self._send(wire.KILL, b"%d" % number[0] if number else b"")

    def _send(self, kind: int, payload: bytes = b"") -> None:
        """Send the guest a message, after which it is busy."""
        self.busy = True
        self._boot.send(kind, payload)

    def _out_of_memory(self, struck: int) -> GuestError:
        """Return the error for a command during which the out-of-memory killer struck."""
        boot = self._boot
        boot.settle_console(1.0, until_killed=struck)
        victims = ", ".join(boot.console.killed()) or f"{struck} processes"
        return GuestOutOfMemory(
            f"the guest ran out of memory ({boot.memory} MiB): its kernel killed {victims}; "
            "the guest itself is still up",
            boot.console.tail(),
            survived=True,
        )

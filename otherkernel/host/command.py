"""One command in a guest, seen from the host: from the first file sent to the last one back."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otherkernel import tree, wire
from otherkernel.errors import EmulatorDied, Error, GuestError, GuestOutOfMemory
from otherkernel.host import line, streams, workdirs
from otherkernel.host.boot import Boot
from otherkernel.placing import Placing

KILL_SECONDS = 20.0  # for the guest to kill a command and say so
RETURN_SECONDS = 600.0  # for it to send back what the command wrote


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
        self._placing: Placing | None = None

    def finish(self, workdirs: workdirs.Workdirs, timeout: float | None) -> int:
        """Run the command to its end; return its status as `subprocess` gives it.

        Args:
            workdirs: What the guest has.
            timeout: Seconds, then it is killed.

        Raises:
            subprocess.TimeoutExpired: It was.
            GuestError: The guest failed.
            OSError: The command could not be started.
            FilesKept: Not all that it did to its files was done here.
            Error: Its files could not be copied.
        """
        order = self._order
        started = time.monotonic()
        self._boot.begin()
        try:
            if order.root:
                order.fresh, self._placing = workdirs.send(
                    order.root, lambda pack: self._send(wire.FILES, pack)
                )
            order.time = time.time()
            self._send(wire.RUN, order.pack())
            payload, expired = self._follow(None if timeout is None else started + timeout)
            status, struck = line.exit_status(payload)
            with self._writing():
                kept = workdirs.took_back(order.root, self._placing) if self._placing else None
        except (wire.Garbled, tree.Malformed) as error:
            raise self._boot.lied(str(error)) from error
        finally:
            if self._placing is not None:
                self._placing.close()
        self.busy = False
        if struck:
            raise self._out_of_memory(struck) from kept
        if expired and timeout is not None:
            raise subprocess.TimeoutExpired(order.args, timeout, *self._streams.raw) from kept
        if kept is not None:
            raise kept
        return status

    def _follow(self, deadline: float | None) -> tuple[bytes, bool]:
        """Pass on what the command does; return how it ended, and whether its time was over."""
        boot = self._boot
        expired = returning = False
        while True:
            if not returning and boot.link.phase is line.Phase.RETURNING:
                returning = True
                deadline = time.monotonic() + RETURN_SECONDS
            # A guest that never stops talking has a deadline, too.
            if deadline is not None and time.monotonic() >= deadline:
                if expired or returning:
                    raise boot.hung(
                        f"it did not {'send the files of' if returning else 'kill'} a command in "
                        f"{RETURN_SECONDS if returning else KILL_SECONDS:.0f} seconds after its "
                        f"{'end' if returning else 'time was over'}"
                    )
                expired = True
                deadline = time.monotonic() + KILL_SECONDS
                self._send(wire.KILL)
            source = self._streams.source if self._wanted else None
            if self._wanted and source is None:
                self._feed()
            also = [fd for fd in (source, self._signals) if fd is not None]
            if boot.wait(deadline, also):
                answer = self._hear(*boot.link.take())
                if answer is not None:
                    return answer, expired
                continue
            for descriptor in boot.readable(also):
                if descriptor == source:
                    self._feed()
                else:
                    self._signal()

    def _hear(self, kind: int, payload: bytes) -> bytes | None:
        """Do what the guest's message asks for; return how the command ended, if it has."""
        if kind in (wire.STDOUT, wire.STDERR):
            if not self._streams.write(kind == wire.STDERR, payload):
                # The command finds out, as it would here: by SIGPIPE.
                self._send(wire.SHUT, b"%d" % kind)
        elif kind == wire.FILES:
            self._place(payload)
        elif kind == wire.ASK:
            self._bring(payload, self._order.root)
        elif kind == wire.WANT:
            self._wanted = True
        elif kind == wire.REFUSED:
            refusal = line.refusal(payload)
            self.busy = False
            raise refusal
        elif kind == wire.BROKEN:
            raise EmulatorDied(
                f"the guest's agent failed:\n{line.plain(payload)}", self._boot.console.tail()
            )
        return payload if kind == wire.EXIT else None

    def _place(self, pack: bytes) -> None:
        """Put files that the guest sends into the command's folder."""
        if self._placing is None:
            raise tree.Malformed("files of a command that has no folder")
        with self._writing():
            self._placing.apply(pack)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say in words what keeps the command's files from being written."""
        try:
            yield
        except OSError as error:
            folder = os.fsdecode(self._order.root)
            where = line.plain(os.fsencode(error.filename or ""))
            raise Error(
                f"{folder}: {where or 'a file'}: {error.strerror}: what the command wrote could "
                "not be brought back"
            ) from error

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

"""One command in a guest, seen from the host: from the first file sent to the last one back."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from otherkernel import tree, wire
from otherkernel.errors import Error, GuestError, GuestOutOfMemory
from otherkernel.host import line
from otherkernel.host.boot import Boot
from otherkernel.host.streams import Streams
from otherkernel.host.workdirs import Workdir

KILL_SECONDS = 20.0  # for the guest to kill a command and say so
RETURN_SECONDS = 600.0  # for it to send back what the command wrote


class Command:
    """A command on its way.

    Args:
        boot: Where it runs.
        order: The command.
        streams: Where its streams go.
        workdir: What the guest has of `order.root`; None if there is no such folder.
        signals: A descriptor from which the numbers of signals for it can be read, a byte each; its
            end kills the command. None if nobody sends any.

    Attributes:
        busy: The guest is not done with it.
    """

    def __init__(
        self,
        boot: Boot,
        order: wire.Order,
        streams: Streams,
        workdir: Workdir | None,
        signals: int | None = None,
    ) -> None:
        """Do nothing yet."""
        self.busy = False
        self._boot = boot
        self._order = order
        self._streams = streams
        self._workdir = workdir
        self._signals = signals
        self._channel = boot.open()
        self._wanted = True  # the command has room for input

    def finish(self, timeout: float | None) -> int:
        """Run the command to its end; return its status as `subprocess` gives it.

        Args:
            timeout: Seconds, then it is killed.

        Raises:
            subprocess.TimeoutExpired: It was.
            GuestError: The guest failed.
            OSError: The command could not be started.
            FilesKept: Not all that it did to its files was done here.
            Error: Its files could not be copied.
        """
        started = time.monotonic()
        try:
            with self._workdir.alone if self._workdir else nullcontext():
                if self._workdir:
                    self._order.fresh = self._workdir.send(
                        lambda pack: self._send(wire.FILES, pack)
                    )
                self._order.time = time.time()
                self._send(wire.RUN, self._order.pack())
            payload, expired = self._follow(None if timeout is None else started + timeout)
            status, struck = line.exit_status(payload)
            kept = self._bring_back(self._workdir) if self._workdir else None
        except (wire.Garbled, tree.Malformed) as error:
            what = str(error)
            raise self._boot.given_up(lambda: self._boot.lied(what)) from error
        finally:
            self._boot.link.close(self._channel)
        self.busy = False
        if struck:
            raise self._out_of_memory(struck) from kept
        if expired and timeout is not None:
            raise subprocess.TimeoutExpired(self._order.args, timeout, *self._streams.raw) from kept
        if kept is not None:
            raise kept
        return status

    def _follow(self, deadline: float | None) -> tuple[bytes, bool]:
        """Pass on what the command does; return how it ended, and whether its time was over."""
        expired = False
        while True:
            # A guest that never stops talking has a deadline, too.
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                if expired:
                    raise self._hung("kill a command", KILL_SECONDS, "time was over")
                expired = True
                deadline = time.monotonic() + KILL_SECONDS
                self._post(wire.KILL)
                continue
            if (message := self._boot.link.take(self._channel)) is not None:
                answer = self._hear(*message)
                if answer is not None:
                    return answer, expired
                continue
            source = self._streams.source if self._wanted else None
            if self._wanted and source is None:
                self._feed()
            also = [fd for fd in (source, self._signals) if fd is not None]
            for descriptor in self._boot.wait(self._channel, left, also):
                if descriptor == source:
                    self._feed()
                else:
                    self._signal()

    def _hear(self, kind: int, payload: bytes) -> bytes | None:
        """Do what the guest's message asks for; return how the command ended, if it has."""
        if kind in (wire.STDOUT, wire.STDERR):
            if not self._streams.write(kind == wire.STDERR, payload):
                # The command finds out, as it would here: by SIGPIPE.
                self._post(wire.SHUT, b"%d" % kind)
        elif kind == wire.WANT:
            self._wanted = True
        elif kind == wire.REFUSED:
            refusal = line.refusal(payload)
            self.busy = False
            if self._workdir:
                self._workdir.lose()
            raise refusal
        return payload if kind == wire.EXIT else None

    def _bring_back(self, workdir: Workdir) -> Error | None:
        """Do here what commands did to their files; return what to raise, if that is not all."""
        # One after the other, and not while the files of another one are sent: so the guest and we
        # mean the same by what has changed.
        with workdir.alone, self._writing(), workdir.taking() as placing:
            deadline = time.monotonic() + RETURN_SECONDS
            self._post(wire.RETURN)
            while message := self._boot.next(self._channel, deadline):
                kind, payload = message
                if kind == wire.RETURNED:
                    return workdir.took_back(placing)
                placing.apply(payload)
        raise self._hung("send the files of a command", RETURN_SECONDS, "end")

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
        self._post(wire.STDIN, self._streams.read())

    def _signal(self) -> None:
        """Pass on a signal, or that whoever sent them is gone."""
        number = os.read(self._signals, 1) if self._signals is not None else b""
        if not number:
            self._signals = None
        self._post(wire.KILL, b"%d" % number[0] if number else b"")

    def _post(self, kind: int, payload: bytes = b"") -> None:
        """Send the guest a message."""
        self._boot.post(kind, payload, self._channel.number)

    def _send(self, kind: int, payload: bytes) -> None:
        """Send the guest a message that may be long, after which it is busy."""
        self.busy = True
        self._boot.send(kind, payload, self._channel.number)

    def _hung(self, what: str, seconds: float, since: str) -> GuestError:
        why = f"it did not {what} in {seconds:.0f} seconds after its {since}"
        return self._boot.given_up(lambda: self._boot.hung(why))

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

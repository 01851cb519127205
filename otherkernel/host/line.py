"""The host's end of the line, made for a guest that may send anything.

What may be said when, and how much of it, stands here; whatever else arrives is `wire.Garbled`.
"""

import enum
import errno
import os
import re
import select
import time
from collections.abc import Callable

from otherkernel import wire

PENDING = 64 << 20  # bytes of messages that wait for us to look at them
_EACH = 1024  # bytes that a message counts for besides its own
ANSWER_SECONDS = 60.0  # for the guest to take in a frame; generous, for hosts under load

_SIGNALS = 64  # the highest number

_HELLO = re.compile(rb"([!-~]{1,128})\n(shared|line)\n(.{%d})" % len(wire.SEAL), re.S)
_REFUSED = re.compile(rb"(\d{1,4})\n([^\0]*)", re.S)


class Phase(enum.Enum):
    """Where the talk with a guest stands."""

    BOOTING = enum.auto()
    IDLE = enum.auto()
    RUNNING = enum.auto()
    RETURNING = enum.auto()
    CLEANING = enum.auto()
    OVER = enum.auto()


# The messages that may come in each phase, with the most bytes of each.
_FILES = {wire.FILES: 16 << 20, wire.EXIT: wire.EXIT_STATUS.size}
_MAY_COME = {
    Phase.BOOTING: {wire.HELLO: 256},
    Phase.IDLE: {},
    Phase.RUNNING: {
        **_FILES,
        **{wire.STDOUT: 1 << 20, wire.STDERR: 1 << 20, wire.WANT: 0, wire.REFUSED: 8 << 10},
        wire.ASK: 256,
    },
    Phase.RETURNING: _FILES,
    Phase.CLEANING: {wire.CLEANED: 1 << 20},
    Phase.OVER: {},
}
_BROKEN = 64 << 10  # bytes of a traceback, which may come in each phase but the last
_AFTER = {
    **{wire.HELLO: Phase.IDLE, wire.FILES: Phase.RETURNING, wire.EXIT: Phase.IDLE},
    **{wire.REFUSED: Phase.IDLE, wire.CLEANED: Phase.IDLE, wire.BROKEN: Phase.OVER},
    **{wire.RUN: Phase.RUNNING, wire.CLEAN: Phase.CLEANING},  # these are ours
}


class Line(wire.Link):
    """The host's end.

    Args:
        descriptor: A socket.
        wait: Called while a receipt is awaited; returns when the descriptor may be read.

    Attributes:
        phase: Where the talk stands.
        release: The guest's kernel, once it has said so.
        shares: Whether the guest has the shared memory.
    """

    def __init__(self, descriptor: int, wait: Callable[[], None]) -> None:
        super().__init__(descriptor, wait, guest=False)
        self.phase = Phase.BOOTING
        self.release = ""
        self.shares = False
        self._pings = 0
        self._inputs = 0
        self._waiting = 0
        self._since = 0.0
        os.set_blocking(descriptor, False)

    def send(self, kind: int, payload: bytes = b"") -> None:
        """See `wire.Link`."""
        self.phase = _AFTER.get(kind, self.phase)
        if kind == wire.PING:
            self._pings += 1
        elif kind == wire.RUN:
            self._inputs = 0
        elif kind == wire.STDIN and payload:
            self._inputs += 1
        super().send(kind, payload)

    def take(self) -> tuple[int, bytes]:
        """Return the next message; there must be one."""
        kind, payload = self.inbox.popleft()
        self._waiting -= len(payload) + _EACH
        return kind, payload

    def receive(self) -> bool:
        """See `wire.Link`; also give up a guest that talks but sends no receipt."""
        if self._awaited and time.monotonic() - self._since > ANSWER_SECONDS:
            raise wire.Garbled(f"no receipt in {ANSWER_SECONDS:.0f} seconds")
        try:
            return super().receive()
        except BlockingIOError:
            return True

    def _longest(self, kind: int) -> int:
        if kind == wire.PONG and self._pings:
            return 0
        if kind == wire.BROKEN and self.phase is not Phase.OVER:
            return _BROKEN
        longest = _MAY_COME[self.phase].get(kind)
        if longest is None or (kind == wire.WANT and not self._inputs):
            raise wire.Garbled(f"message {kind} out of turn ({self.phase.name.lower()})")
        return longest

    def _message(self, kind: int, payload: bytes) -> None:
        if kind == wire.PONG:
            self._pings -= 1
            return
        if kind == wire.HELLO:
            self._greeted(payload)
        elif kind == wire.WANT:
            self._inputs -= 1
        self.phase = _AFTER.get(kind, self.phase)
        self._waiting += len(payload) + _EACH
        if self._waiting > PENDING:
            raise wire.Garbled("more messages at once than anyone can take in")
        super()._message(kind, payload)

    def _greeted(self, payload: bytes) -> None:
        hello = _HELLO.fullmatch(payload)
        if hello is None:
            raise wire.Garbled(f"no greeting: {payload!r}")
        self.release = hello[1].decode()
        self.shares = hello[2] == b"shared"
        self.theirs = hello[3]

    def _write(self, data: bytes) -> None:
        """Write without waiting for ever: the guest may have stopped reading."""
        self._since = time.monotonic()
        while data:
            left = self._since + ANSWER_SECONDS - time.monotonic()
            if left <= 0 or not select.select([], [self.descriptor], [], left)[1]:
                raise ConnectionError(f"the guest read nothing for {ANSWER_SECONDS:.0f} seconds")
            try:
                data = data[os.write(self.descriptor, data) :]
            except BlockingIOError:
                continue


def plain(text: bytes) -> str:
    """Return what the guest says as text that does nothing to a terminal."""
    words = text.decode(errors="replace")
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in words)


def exit_status(payload: bytes) -> tuple[int, int]:
    """Return how a command ended, as `subprocess` gives it, and how often memory ran out.

    Raises:
        wire.Garbled: No command can end so.
    """
    if len(payload) != wire.EXIT_STATUS.size:
        raise wire.Garbled(f"a status of {len(payload)} bytes")
    status, struck = wire.EXIT_STATUS.unpack(payload)
    if status & ~0xFF00 and not (status & ~0xFF == 0 and 1 <= status & 0x7F <= _SIGNALS):
        raise wire.Garbled(f"the status {status:#x}")
    return os.waitstatus_to_exitcode(status), struck


def refusal(payload: bytes) -> OSError:
    """Return the error for a command that could not be started.

    Raises:
        wire.Garbled: That is none.
    """
    refused = _REFUSED.fullmatch(payload)
    if refused is None or int(refused[1]) not in (0, *errno.errorcode):
        raise wire.Garbled(f"no refusal: {payload[:64]!r}")
    number = int(refused[1])
    return OSError(number, os.strerror(number), plain(refused[2]))

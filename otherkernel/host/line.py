"""The host's end of the line, made for a guest that may send anything.

What may be said when, and how much of it, stands here; whatever else arrives is `wire.Garbled`.
"""

import enum
import errno
import os
import re
import threading
import time
from collections import deque
from contextlib import suppress

from otherkernel import wire

PENDING = 256 << 20  # bytes of messages that wait for us to look at them
ANSWER_SECONDS = 60.0  # for the guest to take in a frame; generous, for hosts under load

_SIGNALS = 64  # the highest number

_HELLO = re.compile(rb"([!-~]{1,128})\n(shared|line)\n(.{%d})" % len(wire.SEAL), re.S)
_REFUSED = re.compile(rb"(\d{1,4})\n([^\0]*)", re.S)


class Phase(enum.Enum):
    """Where the talk in a channel stands."""

    BOOTING = enum.auto()
    UP = enum.auto()
    RUNNING = enum.auto()
    ENDED = enum.auto()
    RETURNING = enum.auto()
    CLEANING = enum.auto()
    OVER = enum.auto()


# The messages that may come in each phase, with the most bytes of each.
_MAY_COME = {
    Phase.BOOTING: {wire.HELLO: 256, wire.BROKEN: 64 << 10},
    Phase.UP: {wire.ASK: 256, wire.PONG: 0, wire.BROKEN: 64 << 10},
    Phase.RUNNING: {
        **{wire.STDOUT: 1 << 20, wire.STDERR: 1 << 20, wire.WANT: 0, wire.REFUSED: 8 << 10},
        wire.EXIT: wire.EXIT_STATUS.size,
    },
    Phase.ENDED: {},
    Phase.RETURNING: {wire.FILES: 16 << 20, wire.RETURNED: 0},
    Phase.CLEANING: {wire.CLEANED: 1 << 20},
    Phase.OVER: {},
}
_AFTER = {
    **{wire.HELLO: Phase.UP, wire.BROKEN: Phase.OVER, wire.REFUSED: Phase.OVER},
    **{wire.EXIT: Phase.ENDED, wire.RETURNED: Phase.OVER, wire.CLEANED: Phase.OVER},
    # These are ours.
    **{wire.RUN: Phase.RUNNING, wire.RETURN: Phase.RETURNING, wire.CLEAN: Phase.CLEANING},
}
_WINDOWED = frozenset((wire.STDOUT, wire.STDERR, wire.FILES))


class Bell:
    """A descriptor that can be read once it was rung, until it is silenced."""

    def __init__(self) -> None:
        """Be silent."""
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __del__(self) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def ring(self) -> None:
        """Wake who waits, and who will."""
        os.eventfd_write(self._descriptor, 1)

    def silence(self) -> None:
        """Wake nobody any more."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)


class Channel:
    """What the guest has said of one command, or in channel 0 of itself.

    Args:
        number: Its number.
        phase: Where the talk stands.

    Attributes:
        inbox: Messages that nobody has looked at: kind and payload.
        bell: Rings while there are some, and when the guest is lost.
        untaken: Bytes within `wire.WINDOW` that the guest does not know to be taken.
        taken: How many of them are.
        pings: Questions that the guest still has to answer.
        inputs: Pieces of input that it still has to want more after.
    """

    def __init__(self, number: int, phase: Phase) -> None:
        """Start empty."""
        self.number = number
        self.phase = phase
        self.inbox: deque[tuple[int, bytes]] = deque()
        self.bell = Bell()
        self.untaken = self.taken = 0
        self.pings = self.inputs = 0


class Line(wire.Link):
    """The host's end. One thread receives; any may post, open, take and close.

    Args:
        descriptor: A socket.

    Attributes:
        channels: The open ones, by number.
        release: The guest's kernel, once it has said so.
        shares: Whether the guest has the shared memory.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, guest=False)
        self.channels = {0: Channel(0, Phase.BOOTING)}
        self.release = ""
        self.shares = False
        self.changed = threading.Condition()  # of all that stands here
        self._outbox: deque[tuple[int, int, bytes, bool]] = deque()
        self._posted = self._sent = 0
        self._waiting = 0
        self._since = 0.0
        os.set_blocking(descriptor, False)

    def open(self) -> Channel:
        """Return a channel for a command; there is one for each of `wire.AT_ONCE`."""
        with self.changed:
            number = next(n for n in range(1, wire.AT_ONCE + 1) if n not in self.channels)
            return self.channels.setdefault(number, Channel(number, Phase.ENDED))

    def close(self, channel: Channel) -> None:
        """Let go of a channel in which all has been said."""
        with self.changed:
            del self.channels[channel.number]
            self._waiting -= sum(len(payload) + wire.EACH for _, payload in channel.inbox)

    def post(self, kind: int, payload: bytes = b"", channel: int = 0) -> int:
        """Send a message as soon as those before it are sent; return its number."""
        with self.changed:
            of = self.channels[channel]
            of.phase = _AFTER.get(kind, of.phase)
            if kind == wire.PING:
                of.pings += 1
            elif kind == wire.STDIN and payload:
                of.inputs += 1
            for part, more in self._cut(payload):
                self._outbox.append((kind, channel, part, more))
                self._posted += 1
            self._send_next()
            return self._posted

    def is_sent(self, number: int) -> bool:
        """Tell whether a message is on its way; `changed` is notified when one is."""
        return self._sent >= number

    def _send_next(self) -> None:
        """Send a frame, unless the receipt of one is awaited: the guest's buffer is small."""
        if self._outbox and not self._awaited:
            kind, channel, part, more = self._outbox.popleft()
            self._since = time.monotonic()
            self._send_part(kind, part, channel, more)
            self._sent += 1
            self.changed.notify_all()

    def take(self, channel: Channel) -> tuple[int, bytes] | None:
        """Return the next message in a channel, if there is one."""
        with self.changed:
            if not channel.inbox:
                return None
            kind, payload = channel.inbox.popleft()
            self._waiting -= len(payload) + wire.EACH
            if not channel.inbox:
                channel.bell.silence()
            if kind in _WINDOWED:
                self._took(channel, len(payload) + wire.EACH)
            return kind, payload

    def _took(self, channel: Channel, length: int) -> None:
        """Let the guest send more, if it would soon have to wait for that."""
        channel.taken += length
        if channel.taken >= wire.WINDOW // 2:
            channel.untaken -= channel.taken
            with suppress(ConnectionError):  # whoever receives finds out
                self.post(wire.TOOK, b"%d" % channel.taken, channel.number)
            channel.taken = 0

    def receive(self) -> bool:
        """See `wire.Link`; also give up a guest that talks but sends no receipt."""
        with self.changed:
            if self._awaited and time.monotonic() - self._since > ANSWER_SECONDS:
                raise wire.Garbled(f"no receipt in {ANSWER_SECONDS:.0f} seconds")
            try:
                return super().receive()
            except BlockingIOError:
                return True
            except wire.Garbled:
                for channel in self.channels.values():
                    channel.inbox.clear()  # nor is anything believed that came with it
                raise

    def _longest(self, kind: int, channel: int) -> int:
        of = self.channels.get(channel)
        longest = None if of is None else _MAY_COME[of.phase].get(kind)
        if of is None or longest is None:
            state = "closed" if of is None else of.phase.name.lower()
            raise wire.Garbled(f"message {kind} out of turn ({state})")
        if (kind == wire.WANT and not of.inputs) or (kind == wire.PONG and not of.pings):
            raise wire.Garbled(f"message {kind} out of turn (nobody asked)")
        if kind in _WINDOWED and of.untaken >= wire.WINDOW:
            raise wire.Garbled("more of a command's output than may come at once")
        return longest

    def _frame(self, kind: int, flags: int, channel: int, payload: bytes) -> None:
        super()._frame(kind, flags, channel, payload)
        self._send_next()

    def _message(self, channel: int, kind: int, payload: bytes) -> None:
        of = self.channels[channel]
        of.phase = _AFTER.get(kind, of.phase)
        if kind == wire.PONG:
            of.pings -= 1
            return
        if kind == wire.HELLO:
            self._greeted(payload)
        elif kind == wire.WANT:
            of.inputs -= 1
        elif kind in _WINDOWED:
            of.untaken += len(payload) + wire.EACH
        self._waiting += len(payload) + wire.EACH
        if self._waiting > PENDING:
            raise wire.Garbled("more messages at once than anyone can take in")
        of.inbox.append((kind, payload))
        if len(of.inbox) == 1:
            of.bell.ring()

    def _greeted(self, payload: bytes) -> None:
        hello = _HELLO.fullmatch(payload)
        if hello is None:
            raise wire.Garbled(f"no greeting: {payload!r}")
        self.release = hello[1].decode()
        self.shares = hello[2] == b"shared"
        self.theirs = hello[3]
        if not self.shares:
            self.shared = None

    def _write(self, data: bytes) -> None:
        """Write; of a guest that reads, only one frame and a few receipts are on their way."""
        while data:
            try:
                data = data[os.write(self.descriptor, data) :]
            except BlockingIOError as error:
                raise ConnectionError("the guest reads nothing") from error


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

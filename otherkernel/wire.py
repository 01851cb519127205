"""Messages between host and guest over a serial line, with the bulk beside it in shared memory.

A serial port carries half a mebibyte a second, so a large message leaves its bytes in memory that
both sides map (where the guest can: see `agent`) and only its header crosses the line. A frame is a
header, and its payload unless that lies in the shared memory. Whatever is too long for one frame is
cut in several; each of those waits for the other side's receipt, which is also what keeps the
guest's small serial buffer from overflowing.

Several commands run at a time, each in a channel of its own; a frame's header has its number. Of
what a command puts out, the guest sends no more than a window ahead of what the host has taken, so
that one whose output nobody reads holds up no other.

Both sides import this module, and the guest imports it at every boot under emulation: it must not
import anything slow.
"""

import marshal
import mmap
import os
import struct

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator
else:
    from _collections import deque  # `collections` imports five more

# Guest to host, in channel 0.
HELLO = 1  # release, "shared" or "line", and the seal of all later frames: the guest is up
BROKEN = 2  # a traceback, as text: the agent failed
PONG = 3
ASK = 4  # the name of a layer of the image: something waits for it
# In a command's channel.
STDOUT = 5
STDERR = 6
WANT = 7  # the command's input is used up: send some more
REFUSED = 8  # errno and a path, as text: the command could not be started
EXIT = 9  # EXIT_STATUS; without a folder to bring back, that was all
RETURNED = 10  # so were the files
CLEANED = 11  # what was left behind and is still there, as text, a line each
# Both ways.
FILES = 12  # records of `tree`
# Host to guest, in channel 0.
PING = 16
PLACE = 17  # a folder into which the files sent before it go
LAYER = 18  # a piece of the archive of a layer
LAYERED = 19  # its name, and the places of programs in it, a line each: that was all
# In a command's channel.
RUN = 20  # an Order; the files sent before it go into its folder
STDIN = 21  # an empty one ends the input
KILL = 22  # the number of a signal, as text, for the command; an empty one kills all it has started
SHUT = 23  # the number of an output stream, as text, that nobody reads any more
TOOK = 24  # how much more of the window is free again, as text
RETURN = 25  # after EXIT: send what changed in the command's folder
CLEAN = 26  # a folder to remove, with all that commands have left elsewhere

AT_ONCE = 64  # commands
WINDOW = 256 << 10  # bytes that the guest sends of a command before the host has taken them
EACH = 1024  # that a message counts for besides its own

# Wait status as from waitpid, and how often the out-of-memory killer struck meanwhile.
EXIT_STATUS = struct.Struct("<iI")

_HEADER = struct.Struct("<8sBBHI")  # seal, kind, flags, channel, length
# What begins a frame. The guest chooses another one for its own when it greets the host, which its
# agent alone knows: so whatever else reaches the line (a kernel message, say) is found out.
SEAL = b"\xf5PRFwire"
_RECEIPT = 0
_MORE = 1  # another frame of the same message follows
_SHARED = 2  # the payload lies in the shared memory
_ACKNOWLEDGE = 4  # the receiver must send a receipt

SHARED_SIZE = 16 << 20  # bytes, a power of two; half for each direction
_INLINE = 1024  # bytes; two of these fit a tty's buffer of 4096
_UNLIMITED = 1 << 40


class Order:
    """A command to run.

    Args:
        args: Its words.
        cwd: Its working directory.
        env: Its environment.
        merge: Its standard error goes where its output goes.
        terminals: Which of its streams, by number, are to be a terminal.
        root: The folder of which changes are to be sent back; empty if there is none.
        fresh: What is in that folder now is to be removed first.
        time: The host's clock, in seconds since 1970.
    """

    def __init__(
        self,
        args: list[bytes],
        cwd: bytes,
        env: dict[bytes, bytes],
        merge: bool,
        terminals: tuple[int, ...],
        root: bytes,
        fresh: bool,
        time: float,
    ) -> None:
        """Keep all that."""
        self.args = args
        self.cwd = cwd
        self.env = env
        self.merge = merge
        self.terminals = terminals
        self.root = root
        self.fresh = fresh
        self.time = time

    def pack(self) -> bytes:
        """Return it as a message; both sides are the same Python, so its own format will do."""
        return marshal.dumps(
            (
                *(self.args, self.cwd, self.env, self.merge),
                *(self.terminals, self.root, self.fresh, self.time),
            )
        )

    @staticmethod
    def unpack(message: bytes) -> "Order":
        """Return the order in a message."""
        return Order(*marshal.loads(message))  # noqa: S302  (from the process that booted us)


class Garbled(Exception):
    """The line carries something that is no frame, or not one that may come now."""


class Link:
    """One end of the line.

    Args:
        descriptor: The serial line or a socket.
        guest: Whether this is the guest's end.

    Attributes:
        inbox: Whole messages that have arrived: channel, kind, payload.
        shared: The shared memory, once there is some.
        ours: What begins our frames.
        theirs: What begins the other side's.
    """

    def __init__(self, descriptor: int, guest: bool) -> None:
        """Start without shared memory."""
        self.descriptor = descriptor
        self.inbox: deque[tuple[int, int, bytes]] = deque()
        self.shared: mmap.mmap | None = None
        self.ours = self.theirs = SEAL
        half = SHARED_SIZE // 2
        self._out, self._in = (half, 0) if guest else (0, half)
        self._pending = b""
        self._parts: list[bytes] = []
        self._whole: tuple[int, int] = (0, _RECEIPT)  # channel and kind of these parts
        self._awaited = False

    def send(self, kind: int, payload: bytes = b"", channel: int = 0) -> None:
        """Send one message, however long; what arrives meanwhile is in the inbox.

        Raises:
            Garbled: The line carries something else.
            ConnectionError: The other side is gone.
        """
        if len(payload) <= _INLINE:
            self._write(_HEADER.pack(self.ours, kind, 0, channel, len(payload)) + payload)
            return
        for part, more in self._cut(payload):
            self._send_part(kind, part, channel, more)
            while self._awaited:
                if not self.receive():
                    raise ConnectionResetError("the line was closed")

    def _cut(self, payload: bytes) -> "Iterator[tuple[bytes, bool]]":
        """Cut a message in parts for a frame each; the second value tells whether more follow."""
        size = SHARED_SIZE // 2 if self.shared else _INLINE
        for offset in range(0, max(1, len(payload)), size):
            yield payload[offset : offset + size], offset + size < len(payload)

    def _send_part(self, kind: int, part: bytes, channel: int, more: bool) -> None:
        """Send a frame of which a receipt is awaited."""
        flags = _ACKNOWLEDGE | (_MORE if more else 0)
        self._awaited = True
        if self.shared and len(part) > _INLINE:
            self.shared[self._out : self._out + len(part)] = part
            self._write(_HEADER.pack(self.ours, kind, flags | _SHARED, channel, len(part)))
        else:
            self._write(_HEADER.pack(self.ours, kind, flags, channel, len(part)) + part)

    def receive(self) -> bool:
        """Read what has arrived and put whole messages into the inbox; wait for some.

        Returns:
            False at the end of the line.

        Raises:
            Garbled: It carries something else.
        """
        data = os.read(self.descriptor, 65536)
        if not data:
            return False
        data = self._pending + data
        start = 0
        while len(data) - start >= _HEADER.size:
            seal, kind, flags, channel, length = _HEADER.unpack_from(data, start)
            if seal != self.theirs:
                raise Garbled(f"no frame: {data[start : start + 64]!r}")
            self._check(kind, flags, channel, length)
            body = start + _HEADER.size
            if flags & _SHARED:
                if self.shared is None:
                    raise Garbled(f"{length} bytes in shared memory that is not there")
                payload = self.shared[self._in : self._in + length]
                start = body
            elif len(data) - body < length:
                break
            else:
                payload = data[body : body + length]
                start = body + length
            self._frame(kind, flags, channel, payload)
        self._pending = data[start:]
        return True

    def _check(self, kind: int, flags: int, channel: int, length: int) -> None:
        """Refuse a frame that makes no sense, or may not come now."""
        if flags & ~(_MORE | _SHARED | _ACKNOWLEDGE):
            raise Garbled(f"a frame with the unknown flags {flags:#x}")
        most = SHARED_SIZE // 2 if flags & _SHARED else _INLINE
        # All parts but the last are full: else a message might come in millions of them.
        if length > most or (flags & _MORE and length < most):
            raise Garbled(f"a frame of {length} bytes")
        if kind == _RECEIPT:
            if flags or length or channel or not self._awaited:
                raise Garbled("a receipt for nothing")
            return
        if self._parts and (channel, kind) != self._whole:
            raise Garbled(f"message {kind} in the middle of message {self._whole[1]}")
        if sum(map(len, self._parts)) + length > self._longest(kind, channel):
            raise Garbled(f"message {kind} is too long")

    def _longest(self, kind: int, channel: int) -> int:
        """Return how long a message of a kind may be that comes now.

        Raises:
            Garbled: None of that kind may come.
        """
        return _UNLIMITED

    def _frame(self, kind: int, flags: int, channel: int, payload: bytes) -> None:
        """Take in one frame."""
        if kind == _RECEIPT:
            self._awaited = False
            return
        if flags & _ACKNOWLEDGE:
            self._write(_HEADER.pack(self.ours, _RECEIPT, 0, 0, 0))
        if flags & _MORE:
            self._parts.append(payload)
            self._whole = channel, kind
            return
        if self._parts:
            payload = b"".join([*self._parts, payload])
            self._parts = []
        self._message(channel, kind, payload)

    def _message(self, channel: int, kind: int, payload: bytes) -> None:
        """Take in a whole message."""
        self.inbox.append((channel, kind, payload))

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.descriptor, data) :]

"""Messages between host and guest over a serial line, with the bulk beside it in shared memory.

A serial port carries half a mebibyte a second, so a large message leaves its bytes in memory that
both sides map (where the guest can: see `agent`) and only its header crosses the line. A frame is a
header, and its payload unless that lies in the shared memory. Whatever is too long for one frame is
cut in several; each of those waits for the other side's receipt, which is also what keeps the
guest's small serial buffer from overflowing.

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
    from collections.abc import Callable
else:
    from _collections import deque  # `collections` imports five more

# Guest to host.
HELLO = 1  # release, "shared" or "line", and the seal of all later frames: the guest is up
STDOUT = 2
STDERR = 3
FILES = 4  # both ways: records of `tree`
EXIT = 5  # EXIT_STATUS
REFUSED = 6  # errno and a path, as text: the command could not be started
BROKEN = 7  # a traceback, as text: the agent failed
PONG = 8
WANT = 9  # the command's input is used up: send some more
CLEANED = 10  # what was left behind and is still there, as text, a line each
ASK = 11  # the name of a layer of the image: something waits for it
# Host to guest.
RUN = 16  # an Order
STDIN = 17  # an empty one ends the input
KILL = 18  # the number of a signal, as text, for the command; an empty one kills all there is
PING = 19
PLACE = 20  # a folder into which the files sent before it go
CLEAN = 21  # a folder to remove, with all that commands have left elsewhere
SHUT = 22  # the number of an output stream, as text, that nobody reads any more
LAYER = 23  # a piece of the archive of a layer
LAYERED = 24  # its name, and the places of programs in it, a line each: that was all

# Wait status as from waitpid, and how often the out-of-memory killer struck meanwhile.
EXIT_STATUS = struct.Struct("<iI")

_HEADER = struct.Struct("<8sBBxxI")
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
        wait: Called while a receipt is awaited; returns when the descriptor may be read.
        guest: Whether this is the guest's end.

    Attributes:
        inbox: Whole messages that have arrived.
        shared: The shared memory, once there is some.
        ours: What begins our frames.
        theirs: What begins the other side's.
    """

    def __init__(self, descriptor: int, wait: "Callable[[], None]", guest: bool) -> None:
        """Start without shared memory."""
        self.descriptor = descriptor
        self.inbox: deque[tuple[int, bytes]] = deque()
        self.shared: mmap.mmap | None = None
        self.ours = self.theirs = SEAL
        self._wait = wait
        half = SHARED_SIZE // 2
        self._out, self._in = (half, 0) if guest else (0, half)
        self._pending = b""
        self._parts: list[bytes] = []
        self._part_kind = _RECEIPT
        self._awaited = False

    def send(self, kind: int, payload: bytes = b"") -> None:
        """Send one message, however long; what arrives meanwhile is in the inbox.

        Raises:
            Garbled: The line carries something else.
            ConnectionError: The other side is gone.
        """
        if len(payload) <= _INLINE:
            self._write(_HEADER.pack(self.ours, kind, 0, len(payload)) + payload)
            return
        size = SHARED_SIZE // 2 if self.shared else _INLINE
        for offset in range(0, len(payload), size):
            part = payload[offset : offset + size]
            flags = _ACKNOWLEDGE | (_MORE if offset + size < len(payload) else 0)
            self._awaited = True
            if self.shared:
                self.shared[self._out : self._out + len(part)] = part
                self._write(_HEADER.pack(self.ours, kind, flags | _SHARED, len(part)))
            else:
                self._write(_HEADER.pack(self.ours, kind, flags, len(part)) + part)
            while self._awaited:
                self._wait()
                if not self.receive():
                    raise ConnectionResetError("the line was closed")

    def receive(self) -> bool:
        """Read what has arrived and put whole messages into the inbox.

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
            seal, kind, flags, length = _HEADER.unpack_from(data, start)
            if seal != self.theirs:
                raise Garbled(f"no frame: {data[start : start + 64]!r}")
            self._check(kind, flags, length)
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
            self._frame(kind, flags, payload)
        self._pending = data[start:]
        return True

    def _check(self, kind: int, flags: int, length: int) -> None:
        """Refuse a frame that makes no sense, or may not come now."""
        if flags & ~(_MORE | _SHARED | _ACKNOWLEDGE):
            raise Garbled(f"a frame with the unknown flags {flags:#x}")
        most = SHARED_SIZE // 2 if flags & _SHARED else _INLINE
        # All parts but the last are full: else a message might come in millions of them.
        if length > most or (flags & _MORE and length < most):
            raise Garbled(f"a frame of {length} bytes")
        if kind == _RECEIPT:
            if flags or length or not self._awaited:
                raise Garbled("a receipt for nothing")
            return
        if self._parts and kind != self._part_kind:
            raise Garbled(f"message {kind} in the middle of message {self._part_kind}")
        if sum(map(len, self._parts)) + length > self._longest(kind):
            raise Garbled(f"message {kind} is too long")

    def _longest(self, kind: int) -> int:
        """Return how long a message of a kind may be that comes now.

        Raises:
            Garbled: None of that kind may come.
        """
        return _UNLIMITED

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        """Take in one frame."""
        if kind == _RECEIPT:
            self._awaited = False
            return
        if flags & _ACKNOWLEDGE:
            self._write(_HEADER.pack(self.ours, _RECEIPT, 0, 0))
        if flags & _MORE:
            self._parts.append(payload)
            self._part_kind = kind
            return
        if self._parts:
            payload = b"".join([*self._parts, payload])
            self._parts = []
        self._message(kind, payload)

    def _message(self, kind: int, payload: bytes) -> None:
        """Take in a whole message."""
        self.inbox.append((kind, payload))

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.descriptor, data) :]

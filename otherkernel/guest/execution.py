"""One command in the guest, from its start until the host has what it wrote."""

import _signal  # type: ignore[import-not-found]  # `signal` costs an import of `enum`
import os
import termios

from otherkernel import wire
from otherkernel.guest.folders import Folders
from otherkernel.guest.loop import Loop

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator
else:
    from _collections import deque  # as in `wire`

STDOUT, STDERR = 1, 2
CHUNK = 64 << 10  # bytes read from a command at once: what a pipe holds
LATE = 1 << 20  # bytes passed on after its end, in which others may write without end


def terminal() -> tuple[int, int]:
    """Open a terminal that passes every byte as it is; return our end and the command's."""
    ours, theirs = os.openpty()
    settings = termios.tcgetattr(theirs)
    settings[0] = settings[1] = settings[3] = 0
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    return ours, theirs


def killed_for_memory() -> int:
    """Return how often the out-of-memory killer has struck since boot."""
    with open("/proc/vmstat") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class Execution:
    """A command that runs, with pipes or a terminal at its three streams.

    Args:
        order: The command; its working directory must be the current one.
        channel: Its number.
        link: To the host.
        loop: Waits for it.
        folders: Where it runs.

    Attributes:
        process: Its number; that of its session as well.
        over: The host has all.

    Raises:
        OSError: It could not be started.
    """

    def __init__(
        self, order: wire.Order, channel: int, link: wire.Link, loop: Loop, folders: Folders
    ) -> None:
        """Start it."""
        self.over = False
        self._root = order.root
        self._channel = channel
        self._link = link
        self._loop = loop
        self._folders = folders
        self._untaken = 0  # of the window
        self._late = 0
        self._told = False  # the host knows that it has ended
        self._status: int | None = None
        self._struck = killed_for_memory()
        self._packs: Iterator[bytes] | None = None
        self._pending: deque[bytes] = deque()
        self._ended = False  # the host has no more input
        os.environ["PATH"] = os.fsdecode(order.env.get(b"PATH", os.fsencode(os.defpath)))
        theirs_in, our_in = os.pipe()
        our_out, theirs_out = terminal() if STDOUT in order.terminals else os.pipe()
        if order.merge or {STDOUT, STDERR} <= set(order.terminals):
            # Of two streams to one terminal only the order counts.
            our_error, theirs_error = our_out, theirs_out
        else:
            our_error, theirs_error = terminal() if STDERR in order.terminals else os.pipe()
        ours, theirs = {our_in, our_out, our_error}, {theirs_in, theirs_out, theirs_error}
        try:
            self.process = os.posix_spawnp(
                order.args[0],
                order.args,
                order.env,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs_in, 0),
                    (os.POSIX_SPAWN_DUP2, theirs_out, 1),
                    (os.POSIX_SPAWN_DUP2, theirs_error, 2),
                ],
                setsid=True,
                # Python ignores these, and what is ignored would stay so in the command.
                setsigdef=[_signal.SIGPIPE, _signal.SIGXFSZ],
            )
        except OSError:
            for end in ours:
                os.close(end)
            raise
        finally:
            for end in theirs:
                os.close(end)
        for end in ours:
            os.set_blocking(end, False)
        self._input: int | None = our_in
        self._kinds = {our_error: wire.STDERR, our_out: wire.STDOUT}
        self._watch_output()
        self._descriptor = os.pidfd_open(self.process)
        loop.watch(self._descriptor, int)  # who waits for processes is the agent

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._status is None

    def hear(self, kind: int, payload: bytes) -> None:
        """Do what the host says of it."""
        if kind == wire.KILL and self.runs:
            os.kill(self.process, int(payload))
        elif kind == wire.SHUT:
            for end in [end for end, each in self._kinds.items() if each == int(payload)]:
                self._close(end)  # so that writing there is SIGPIPE to the command
        elif kind == wire.STDIN:
            if payload:
                self._pending.append(payload)
            else:
                self._ended = True
            self._feed()
        elif kind == wire.TOOK:
            self._untaken -= int(payload)
            if self.runs:
                self._watch_output()
            elif self._packs is None:
                self._send_rest()
            else:
                self._send_files()
        elif kind == wire.RETURN:
            self._packs = self._folders.changes(self._root)
            self._send_files()

    def end(self, status: int) -> None:
        """Take notice that it has ended; what it has left running is killed already."""
        self._status = status
        self._loop.forget(self._descriptor)
        os.close(self._descriptor)
        self._pending.clear()
        self._ended = True
        self._feed()
        self._send_rest()

    def _send(self, kind: int, payload: bytes) -> None:
        self._untaken += len(payload) + wire.EACH
        self._link.send(kind, payload, self._channel)

    @property
    def _has_room(self) -> bool:
        """Whether the host may be sent more now."""
        return self._untaken < wire.WINDOW

    def _watch_output(self) -> None:
        for end in self._kinds:
            self._loop.watch(end, lambda end=end: self._forward(end))  # type: ignore[misc]

    def _close(self, end: int) -> None:
        """Close our end of an output stream."""
        del self._kinds[end]
        self._loop.forget(end)
        os.close(end)

    def _forward(self, end: int) -> bool:
        """Pass on what the command wrote, if the host has room; tell whether there was some."""
        if not self._has_room:
            self._loop.forget(end)  # until it has
            return False
        try:
            data = os.read(end, CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # EIO: nobody has the terminal's other end any more
            data = b""
        if data:
            self._send(self._kinds[end], data)
        else:
            self._close(end)
        return bool(data)

    def _send_rest(self) -> None:
        """After the command's end, pass on what is still in its streams, and then the end."""
        for end in list(self._kinds):
            while self._late < LATE and self._forward(end):
                self._late += CHUNK
            if self._has_room and end in self._kinds:
                self._close(end)
        if not self._kinds and self._status is not None and not self._told:
            self._told = True
            struck = killed_for_memory() - self._struck
            status = wire.EXIT_STATUS.pack(self._status, struck)
            self._link.send(wire.EXIT, status, self._channel)
            self.over = not self._root

    def _send_files(self) -> None:
        """Send what changed in its folder, as long as the host has room."""
        while self._has_room and self._packs is not None:
            pack = next(self._packs, None)
            if pack is None:
                self._packs = None
                self._folders.leave(self._root)
                self._link.send(wire.RETURNED, b"", self._channel)
                self.over = True
            else:
                self._send(wire.FILES, pack)

    def _feed(self) -> None:
        """Write waiting input to the command, and close its pipe at the end."""
        if self._input is None:
            return
        try:
            while self._pending:
                written = os.write(self._input, self._pending[0])
                rest = self._pending.popleft()[written:]
                if rest:
                    self._pending.appendleft(rest)
                elif not self._pending and not self._ended:
                    self._link.send(wire.WANT, b"", self._channel)
        except BlockingIOError:
            self._loop.watch(self._input, self._feed, write=True)
            return
        except BrokenPipeError:
            self._ended = True
        self._loop.forget(self._input)
        if self._ended:
            os.close(self._input)
            self._input = None

"""One command in the guest, from its start to its end."""

import _signal  # type: ignore[import-not-found]  # `signal` costs an import of `enum`
import os
import select
import termios

from otherkernel import wire
from otherkernel.guest.layers import Layers

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from collections import deque
else:
    from _collections import deque  # as in `wire`

STDOUT, STDERR = 1, 2
CHUNK = 256 << 10  # bytes read from a command at once


def terminal() -> tuple[int, int]:
    """Open a terminal that passes every byte as it is; return our end and the command's."""
    ours, theirs = os.openpty()
    settings = termios.tcgetattr(theirs)
    settings[0] = settings[1] = settings[3] = 0
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    return ours, theirs


class Execution:
    """A command that runs, with pipes or a terminal at its three streams.

    Args:
        order: The command; its working directory must be the current one.
        link: To the host.
        layers: What it may need and is not here yet.

    Raises:
        OSError: It could not be started.
    """

    def __init__(self, order: wire.Order, link: wire.Link, layers: Layers) -> None:
        """Start it."""
        self._link = link
        self._layers = layers
        self._status: int | None = None
        self._pending: deque[bytes] = deque()
        self._ended = False  # the host has no more input
        self._poll = select.poll()
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
            self._process = os.posix_spawnp(
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

    def finish(self) -> int:
        """Pass its streams until it ends, kill what it leaves running; return its status."""
        poll = self._poll
        poll.register(self._link.descriptor, select.POLLIN)
        poll.register(self._layers.descriptor, select.POLLIN)
        for end in self._kinds:
            poll.register(end, select.POLLIN)
        process = os.pidfd_open(self._process)
        poll.register(process, select.POLLIN)
        # A layer on its way is not cut short by what ends a command.
        while self._status is None or self._layers.busy:
            waiting = self._input if self._pending else None
            if waiting is not None:
                poll.register(waiting, select.POLLOUT)
            for descriptor, _ in poll.poll():
                if descriptor in self._kinds and self._forward(descriptor) is False:
                    poll.unregister(descriptor)
                elif descriptor == self._link.descriptor:
                    self._link.receive()
                elif descriptor == self._layers.descriptor:
                    self._layers.ask()
            if waiting is not None:
                poll.unregister(waiting)
            self._reap()
            self._obey()
            self._feed()
        os.close(process)
        try:
            os.kill(-1, _signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._reap()
        for end in self._kinds:
            while self._forward(end):
                pass
            os.close(end)
        if self._input is not None:
            os.close(self._input)
        return self._status

    def _reap(self) -> None:
        """Buries the dead: the command itself, and orphans, which are all the first process's."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            if process == self._process:
                self._status = status

    def _obey(self) -> None:
        """Do what the host says meanwhile."""
        while self._link.inbox:
            kind, payload = self._link.inbox.popleft()
            if kind == wire.KILL:
                self._kill(payload)
            elif kind == wire.SHUT:
                self._shut(int(payload))
            elif kind == wire.LAYER:
                self._layers.unpack(payload)
            elif kind == wire.LAYERED:
                self._layers.finish(payload)
            elif kind == wire.PING:
                self._link.send(wire.PONG)
            elif kind == wire.STDIN and payload:
                self._pending.append(payload)
            elif kind == wire.STDIN:
                self._ended = True

    def _kill(self, number: bytes) -> None:
        """Send the command a signal, or kill everything."""
        try:
            if number:
                os.kill(self._process, int(number))
            else:
                os.kill(-1, _signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _shut(self, kind: int) -> None:
        """Close our end of an output stream, so that writing there is SIGPIPE to the command."""
        for end in [end for end, each in self._kinds.items() if each == kind]:
            del self._kinds[end]
            try:
                self._poll.unregister(end)
            except KeyError:
                pass  # the command had closed it
            os.close(end)

    def _forward(self, end: int) -> "bool | None":
        """Pass on what the command wrote; False when there is no more, None when none now."""
        try:
            data = os.read(end, CHUNK)
        except BlockingIOError:
            return None
        except OSError:  # EIO: nobody has the terminal's other end any more
            return False
        if data:
            self._link.send(self._kinds[end], data)
        return bool(data)

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
                    self._link.send(wire.WANT)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._ended = True
        if self._ended:
            os.close(self._input)
            self._input = None

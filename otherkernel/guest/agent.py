"""The guest's first process: runs commands for the host, and takes files in and out.

Runs on the guest's Python without site-packages, and imports only what starts fast under emulation.
Its line is the second serial port; the first is the kernel's console.
"""

import _signal  # type: ignore[import-not-found]  # `signal` costs an import of `enum`
import mmap
import os
import termios
import time

from otherkernel import wire
from otherkernel.guest.execution import Execution
from otherkernel.guest.folders import Folders, place
from otherkernel.guest.layers import Layers
from otherkernel.guest.loop import Loop

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from otherkernel.guest.leftovers import Leftovers

LINE = "/dev/ttyS1"
DEVICES = "/sys/bus/pci/devices"
SHARED_DEVICE = ("0x1af4", "0x1110")  # QEMU's ivshmem: memory of the host's as a PCI resource
CLOCK_SLACK = 1.0  # seconds that the clock may be off before it is set again


def text(path: str) -> str:
    """Return the text of a small file."""
    with open(path) as file:
        return file.read().strip()


def open_line() -> int:
    """Open the line to the host, raw: every byte passes as it is."""
    line = os.open(LINE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    settings = termios.tcgetattr(line)
    settings[0] = settings[1] = settings[3] = 0
    settings[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    settings[4] = settings[5] = termios.B115200
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(line, termios.TCSANOW, settings)
    os.unlink(LINE)  # against accidents only: root can make it anew
    return line


def shared_memory() -> "mmap.mmap | None":
    """Map the memory shared with the host, or return None where that cannot be had."""
    try:
        for name in os.listdir(DEVICES):
            folder = f"{DEVICES}/{name}"
            if (text(f"{folder}/vendor"), text(f"{folder}/device")) == SHARED_DEVICE:
                with open(f"{folder}/enable", "w") as file:
                    file.write("1")
                resource = os.open(f"{folder}/resource2", os.O_RDWR | os.O_CLOEXEC)
                try:
                    return mmap.mmap(resource, wire.SHARED_SIZE)
                finally:
                    os.close(resource)
    except OSError:
        pass  # no PCI, or a kernel that is locked down: the line carries everything
    return None


class Agent:
    """Serves one host, several commands at a time."""

    def __init__(self) -> None:
        """Open the line."""
        self.link = wire.Link(open_line(), guest=True)
        self.link.shared = shared_memory()
        self.layers = Layers(self.link)
        self.leftovers: Leftovers | None = None
        self.loop = Loop()
        self.folders = Folders()
        self.commands: dict[int, Execution] = {}  # by channel
        self.packs: dict[int, list[bytes]] = {}  # of files that the host has sent, by channel

    def serve(self) -> None:
        """Greets the host and obeys it for ever."""
        shared = "shared" if self.link.shared else "line"
        with open("/dev/urandom", "rb", buffering=0) as random:  # os.urandom may wait at boot
            seal = random.read(len(wire.SEAL))
        self.link.send(wire.HELLO, f"{os.uname().release}\n{shared}\n".encode() + seal)
        self.link.ours = seal
        self.loop.watch(self.link.descriptor, self.link.receive)
        self.loop.watch(self.layers.descriptor, self.layers.ask)
        while True:
            self.loop.turn()
            # What is sent by the way may bring new messages.
            while self.link.inbox:
                self.obey(*self.link.inbox.popleft())
            self.reap()

    def obey(self, channel: int, kind: int, payload: bytes) -> None:
        """Do what the host says."""
        if kind == wire.PING:
            self.link.send(wire.PONG)
        elif kind == wire.FILES:
            self.packs.setdefault(channel, []).append(payload)
        elif kind == wire.PLACE:
            place(payload, self.packs.pop(channel, []))
        elif kind == wire.RUN:
            self.run(channel, wire.Order.unpack(payload))
        elif kind == wire.LAYER:
            self.layers.unpack(payload)
        elif kind == wire.LAYERED:
            self.layers.finish(payload)
        elif kind == wire.CLEAN:
            self.clean(channel, payload)
        elif channel in self.commands:
            command = self.commands[channel]
            if kind == wire.KILL and not payload:
                self.kill(command)
            else:
                command.hear(kind, payload)
            self.bury(channel, command)

    def clean(self, channel: int, folder: bytes) -> None:
        """Remove what commands left behind; the first time, without a folder, learns what is."""
        left: list[str] = []
        if self.leftovers is None:
            from otherkernel.guest.leftovers import Leftovers  # noqa: PLC0415  (not every host asks)

            self.leftovers = Leftovers()
        if folder:
            left = self.leftovers.clean(folder)
        self.link.send(wire.CLEANED, b"\n".join(map(os.fsencode, left)), channel)

    def run(self, channel: int, order: wire.Order) -> None:
        """Start a command in its folder."""
        if abs(time.time() - order.time) > CLOCK_SLACK:
            time.clock_settime(time.CLOCK_REALTIME, order.time)
        entered = False
        try:
            if order.root:
                self.folders.enter(order.root, order.fresh, self.packs.pop(channel, []))
                entered = True
            os.makedirs(order.cwd, exist_ok=True)
            os.chdir(order.cwd)
            self.commands[channel] = Execution(order, channel, self.link, self.loop, self.folders)
        except OSError as error:
            if entered:
                self.folders.leave(order.root)
            name = os.fsencode(error.filename or b"")
            self.link.send(wire.REFUSED, b"%d\n%s" % (error.errno or 0, name), channel)
        finally:
            os.chdir("/")

    def kill(self, command: Execution) -> None:
        """Kill all that a command has started, or everything, if no other one runs."""
        if any(other.runs for other in self.commands.values() if other is not command):
            from otherkernel.guest import processes  # noqa: PLC0415  (seldom needed)

            processes.kill(command.process)
            return
        try:
            os.kill(-1, _signal.SIGKILL)
        except ProcessLookupError:
            pass

    def reap(self) -> None:
        """Buries the dead: commands, and orphans, which are all the first process's."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            for channel, command in list(self.commands.items()):
                if command.process == process and command.runs:
                    self.kill(command)
                    command.end(status)
                    self.bury(channel, command)

    def bury(self, channel: int, command: Execution) -> None:
        """Forget a command of which the host has all."""
        if command.over:
            del self.commands[channel]


def main() -> None:
    """Start serving; says why to the host if that fails."""
    os.environ.clear()
    agent = Agent()
    try:
        agent.serve()
    except BaseException as error:
        agent.link.send(wire.BROKEN, described(error).encode())
        raise


def described(error: BaseException) -> str:
    """Return where and how something failed; `traceback` and what it imports are not here."""
    lines = []
    place = error.__traceback__
    while place is not None:
        lines.append(f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}\n")
        place = place.tb_next
    return f"{''.join(lines)}{type(error).__name__}: {error}"

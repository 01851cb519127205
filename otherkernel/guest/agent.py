"""The guest's first process: runs commands for the host, and takes files in and out.

Runs on the guest's Python without site-packages, and imports only what starts fast under emulation.
Its line is the second serial port; the first is the kernel's console.
"""

import mmap
import os
import select
import termios
import time

from otherkernel import tree, wire
from otherkernel.guest.execution import Execution
from otherkernel.guest.layers import Layers
from otherkernel.placing import Placing

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


def killed_for_memory() -> int:
    """Return how often the out-of-memory killer has struck since boot."""
    with open("/proc/vmstat") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class Agent:
    """Serves one host, one command at a time."""

    def __init__(self) -> None:
        """Open the line."""
        self.link = wire.Link(open_line(), self._wait, guest=True)
        self.link.shared = shared_memory()
        self.layers = Layers(self.link)
        self.leftovers: Leftovers | None = None

    def _wait(self) -> None:
        select.select([self.link.descriptor], [], [])

    def next(self) -> tuple[int, bytes]:
        """Return the host's next message."""
        while not self.link.inbox:
            self._wait()
            self.link.receive()
        return self.link.inbox.popleft()

    def serve(self) -> None:
        """Greets the host and obeys it for ever."""
        shared = "shared" if self.link.shared else "line"
        with open("/dev/urandom", "rb", buffering=0) as random:  # os.urandom may wait at boot
            seal = random.read(len(wire.SEAL))
        self.link.send(wire.HELLO, f"{os.uname().release}\n{shared}\n".encode() + seal)
        self.link.ours = seal
        packs: list[bytes] = []
        while True:
            kind, payload = self.next()
            if kind == wire.FILES:
                packs.append(payload)
                continue
            if kind == wire.PING:
                self.link.send(wire.PONG)
            elif kind == wire.PLACE:
                self.place(payload, packs)
                packs = []
            elif kind == wire.RUN:
                self.run(wire.Order.unpack(payload), packs)
                packs = []
            elif kind == wire.CLEAN:
                self.clean(payload)

    @staticmethod
    def place(root: bytes, packs: list[bytes]) -> None:
        """Put the host's files into a folder."""
        with Placing(root) as placing:
            for pack in packs:
                placing.apply(pack)
            placing.finish()

    def clean(self, folder: bytes) -> None:
        """Remove what commands left behind; the first time, without a folder, learns what is."""
        left: list[str] = []
        if self.leftovers is None:
            from otherkernel.guest.leftovers import Leftovers  # noqa: PLC0415  (not every host asks)

            self.leftovers = Leftovers()
        if folder:
            left = self.leftovers.clean(folder)
        self.link.send(wire.CLEANED, b"\n".join(map(os.fsencode, left)))

    def run(self, order: wire.Order, packs: list[bytes]) -> None:
        """Run a command: files in, output out as it comes, files out, then how it ended."""
        if abs(time.time() - order.time) > CLOCK_SLACK:
            time.clock_settime(time.CLOCK_REALTIME, order.time)
        struck = killed_for_memory()
        try:
            os.makedirs(order.root or order.cwd, exist_ok=True)
            if order.fresh:
                tree.clear(order.root)
            if order.root:
                self.place(order.root, packs)
            before = tree.scan(order.root) if order.root else {}
            os.makedirs(order.cwd, exist_ok=True)
            os.chdir(order.cwd)
            status = Execution(order, self.link, self.layers).finish()
        except OSError as error:
            name = os.fsencode(error.filename or b"")
            self.link.send(wire.REFUSED, b"%d\n%s" % (error.errno or 0, name))
            return
        finally:
            os.chdir("/")
        if order.root and not os.path.isdir(order.root):
            self.link.send(wire.FILES, tree.LOST)
        elif order.root:
            changed, gone = tree.differences(before, tree.scan(order.root))
            for pack in tree.pack(order.root, changed, gone):
                self.link.send(wire.FILES, pack)
        struck = killed_for_memory() - struck
        self.link.send(wire.EXIT, wire.EXIT_STATUS.pack(status, struck))


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

"""What of the host's software is not in the guest yet, and comes when it is first needed.

A program that waits for some writes its name, and that of a folder with a FIFO for the answer, into
another FIFO. The host sends an archive, which busybox unpacks, and what waited goes on. Only names
cross the line: what they stand for, the host alone knows.
"""

import os

from otherkernel import wire

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    import io

FOLDER = "/.otherkernel"
ASK = f"{FOLDER}/ask"
ANSWERS = f"{FOLDER}/answers"
HERE = f"{FOLDER}/here"
"""A file for each layer that has come."""

_ARCHIVE = f"{FOLDER}/archive"
_UNPACK = ["busybox", "sh", "-c", f"cd / && exec /bin/busybox cpio -idmu <{_ARCHIVE} 2>/dev/null"]


class Layers:
    """Asks the host for layers, one request each, and takes them in.

    Args:
        link: To the host.

    Attributes:
        descriptor: Can be read when somebody asks.
    """

    def __init__(self, link: wire.Link) -> None:
        """Let programs ask."""
        self._link = link
        os.mkfifo(ASK)
        os.chmod(ASK, 0o666)  # noqa: S103  (any user's program may need what is not here)
        # Open for writing, too: it never ends, and nobody who asks has to wait for us.
        self.descriptor = os.open(ASK, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._rest = b""
        self._waiting: dict[bytes, list[bytes]] = {}
        self._here: set[bytes] = set()
        self._archive: io.BufferedWriter | None = None

    def ask(self) -> None:
        """Read who asks for what, and pass on what nobody has asked for yet."""
        lines = (self._rest + os.read(self.descriptor, 65536)).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            name, _, answer = line.partition(b" ")
            if name in self._here:
                _answer(answer, True)
            elif name in self._waiting:
                self._waiting[name].append(answer)
            else:
                self._waiting[name] = [answer]
                self._link.send(wire.ASK, name)

    def unpack(self, piece: bytes) -> None:
        """Keep a piece of an archive; unpacked from a pipe it would take twice as long."""
        if self._archive is None:
            self._archive = open(_ARCHIVE, "wb")  # noqa: SIM115  (more pieces follow)
        self._archive.write(piece)

    def finish(self, answer: bytes) -> None:
        """Put programs in their places, and let go on who waited.

        Args:
            answer: The layer's name, and the places of the programs that it has.
        """
        name, *places = answer.split(b"\n")
        done = self._unpacked()
        if done:
            for place in places:
                # At once, as others may be starting it: the real one waits beside it.
                folder, program = os.path.split(place)
                fresh = os.path.join(folder, b"." + program + b".new")
                os.link(os.path.join(folder, b"." + program), fresh)
                os.rename(fresh, place)
            if b"/" not in name:
                os.close(os.open(f"{HERE}/{os.fsdecode(name)}", os.O_CREAT | os.O_CLOEXEC))
            self._here.add(name)
        for waiting in self._waiting.pop(name, ()):
            _answer(waiting, done)

    def _unpacked(self) -> bool:
        """Unpack the archive; False if that failed."""
        if self._archive is None:
            return False
        self._archive.close()
        self._archive = None
        process = os.posix_spawn("/bin/busybox", _UNPACK, {})
        try:
            return os.waitpid(process, 0)[1] == 0
        finally:
            os.unlink(_ARCHIVE)


def _answer(folder: bytes, done: bool) -> None:
    """Answer one who waits, unless that is gone."""
    if b"/" in folder:
        return
    try:
        path = os.path.join(os.fsencode(ANSWERS), folder, b"answer")
        answer = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    os.write(answer, b"here\n" if done else b"failed\n")
    os.close(answer)

"""Working directories: what changed on the host goes to a guest, and what changed there back."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otherkernel import tree
from otherkernel.errors import Error, FilesKept
from otherkernel.host.line import plain
from otherkernel.placing import Placing

LIMIT = 64 << 20  # bytes of one directory
_NAMED = 10  # paths in a message

# Where the guest has its own files; a command may run there, but nothing is copied.
SYSTEM = frozenset((b"bin", b"dev", b"etc", b"lib", b"lib64", b"proc", b"sbin", b"sys", b"usr"))


def is_system(folder: bytes) -> bool:
    """Tells whether a directory is the guest's own."""
    top = folder.split(b"/")[1]
    return not top or top in SYSTEM


def carries(root: bytes) -> Callable[[str], bool]:
    """Return what tells whether a place of the host's goes to a guest with a directory.

    Args:
        root: The directory, or none.
    """
    inside = os.path.join(os.fsdecode(root), "") if root else "\0"
    environments: dict[str, bool] = {}

    def left_out(folder: str) -> bool:
        """Tell whether a folder is ignored, or in one that is: see `tree.scan`."""
        if len(folder) < len(inside):
            return False
        known = environments.get(folder)
        if known is None:
            parent, name = os.path.split(folder)
            known = os.fsencode(name) in tree.IGNORED or left_out(parent)
            known = environments[folder] = known or os.path.exists(f"{folder}/pyvenv.cfg")
        return known

    def carried(place: str) -> bool:
        return place.startswith(inside) and not left_out(os.path.dirname(place))

    return carried


class Workdir:
    """What a guest has of one of the host's directories.

    Args:
        folder: Its full path.

    Attributes:
        alone: Held while files are sent, or taken back: commands of one directory take turns.
        users: How many commands run in it.
    """

    def __init__(self, folder: bytes) -> None:
        """Start with nothing."""
        self.alone = threading.Lock()
        self.users = 0
        self._folder = folder
        # What guest and host have alike; what commands have done since is only in the guest.
        self._here: dict[bytes, tree.Look] | None = None

    def send(self, send: Callable[[bytes], None]) -> bool:
        """Send what changed here since the guest last had it.

        Args:
            send: Sends one pack of files.

        Returns:
            Whether the guest is to clear the directory first, as it has not had it yet.

        Raises:
            FileNotFoundError: It does not exist.
            Error: It is larger than `LIMIT`, or cannot be read.
        """
        name = os.fsdecode(self._folder)
        if not os.path.isdir(self._folder):
            raise FileNotFoundError(2, "No such directory", name)
        # Until all is sent, nothing is known of what the guest has.
        known, self._here = self._here, None
        try:
            now = tree.scan(self._folder, LIMIT)
            changed, gone = tree.differences(known or {}, now)
            for pack in tree.pack(self._folder, changed, gone):
                send(pack)
        except tree.TooMuch:
            raise Error(
                f"{name} holds more than {LIMIT >> 20} MiB, which would all be "
                "copied: run the command in a directory with only what it needs"
            ) from None
        except OSError as error:
            where = os.fsdecode(error.filename or self._folder)
            raise Error(f"{where}: {error.strerror}: it cannot be copied to the guest") from error
        self._here = now
        return known is None and self.users == 1

    def taking(self) -> Placing:
        """Return what puts into it what the guest sends back, to be closed."""
        return Placing(self._folder, self._here or {})

    def lose(self) -> None:
        """Know nothing of what the guest has."""
        self._here = None

    def took_back(self, placing: Placing) -> FilesKept | None:
        """Remembers what host and guest have alike, when the guest has sent all.

        Returns:
            What to raise, if not all that came could be done here.
        """
        name = os.fsdecode(self._folder)
        self._here = None
        if placing.lost:
            return FilesKept(
                f"the command removed {name} itself in the guest: nothing was removed here"
            )
        if not placing.finish():
            return FilesKept(
                f"the command removed every file of {name} in the guest: nothing was removed here"
            )
        self._here = placing.here
        if not placing.kept:
            return None
        paths = tuple(plain(path) for path in dict.fromkeys(placing.kept))
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        return FilesKept(
            f"not brought back into {name}, as it changed there meanwhile, was never sent, or is a "
            f"link out of it: {', '.join(paths[:_NAMED])}{more}",
            paths,
        )


class Workdirs:
    """What one guest has of the host's directories. Threads may share it."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._known: dict[bytes, Workdir] = {}
        self._changed = threading.Condition()

    @contextmanager
    def using(self, folder: bytes) -> Iterator[Workdir]:
        """Use a directory, once no command runs in one that is inside it, or has it inside."""
        with self._changed:
            self._changed.wait_for(lambda: not self._overlaps(folder))
            workdir = self._known.setdefault(folder, Workdir(folder))
            workdir.users += 1
        try:
            yield workdir
        finally:
            with self._changed:
                workdir.users -= 1
                self._changed.notify_all()

    def _overlaps(self, folder: bytes) -> bool:
        """Tell whether a command runs in another directory, inside a directory or around it."""
        return any(
            f"{os.fsdecode(one)}/".startswith(f"{os.fsdecode(other)}/")
            for used in self.used()
            if used != folder
            for one, other in ((folder, used), (used, folder))
        )

    def used(self) -> list[bytes]:
        """Return the directories that commands run in."""
        with self._changed:
            return [folder for folder, workdir in self._known.items() if workdir.users]

    def forget(self, folder: bytes) -> None:
        """Forgets a directory that the guest is about to lose."""
        with self._changed:
            self._known.pop(folder, None)

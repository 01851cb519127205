"""Working directories: what changed on the host goes to a guest, and what changed there back."""

import os
from collections.abc import Callable

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


class Workdirs:
    """What one guest has of the host's directories."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._synced: dict[bytes, dict[bytes, tree.Look]] = {}

    def send(self, folder: bytes, send: Callable[[bytes], None]) -> tuple[bool, Placing]:
        """Send what changed in a directory since the guest last had it.

        Args:
            folder: Its full path.
            send: Sends one pack of files.

        Returns:
            Whether the guest is to clear the directory first, as it has not had it yet; and what
            puts into it what the guest sends back, to be closed.

        Raises:
            FileNotFoundError: It does not exist.
            Error: It is larger than `LIMIT`, or cannot be read.
        """
        if not os.path.isdir(folder):
            raise FileNotFoundError(2, "No such directory", os.fsdecode(folder))
        # Until the command has ended, nothing is known of what the guest has.
        known = self._synced.pop(folder, None)
        try:
            now = tree.scan(folder, LIMIT)
            changed, gone = tree.differences(known or {}, now)
            for pack in tree.pack(folder, changed, gone):
                send(pack)
            return known is None, Placing(folder, now)
        except tree.TooMuch:
            raise Error(
                f"{os.fsdecode(folder)} holds more than {LIMIT >> 20} MiB, which would all be "
                "copied: run the command in a directory with only what it needs"
            ) from None
        except OSError as error:
            where = os.fsdecode(error.filename or folder)
            raise Error(f"{where}: {error.strerror}: it cannot be copied to the guest") from error

    def took_back(self, folder: bytes, placing: Placing) -> FilesKept | None:
        """Remembers what host and guest have alike, when the guest has sent all.

        Returns:
            What to raise, if not all that came could be done here.
        """
        name = os.fsdecode(folder)
        if placing.lost:
            return FilesKept(
                f"the command removed {name} itself in the guest: nothing was removed here"
            )
        if not placing.finish():
            return FilesKept(
                f"the command removed every file of {name} in the guest: nothing was removed here"
            )
        self._synced[folder] = placing.here
        if not placing.kept:
            return None
        paths = tuple(plain(path) for path in dict.fromkeys(placing.kept))
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        return FilesKept(
            f"not brought back into {name}, as it changed there meanwhile, was never sent, or is a "
            f"link out of it: {', '.join(paths[:_NAMED])}{more}",
            paths,
        )

    def forget(self, folder: bytes) -> None:
        """Forgets a directory that the guest is about to lose."""
        self._synced.pop(folder, None)

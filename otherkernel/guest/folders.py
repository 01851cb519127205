"""The folders that commands run in: takes in what the host sends, and finds what changed since."""

import os

from otherkernel import tree
from otherkernel.placing import Placing

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator


def place(root: bytes, packs: list[bytes]) -> Placing:
    """Put the host's files into a folder; return what did it."""
    with Placing(root) as placing:
        for pack in packs:
            placing.apply(pack)
        placing.finish()
    return placing


class Folders:
    """What the host knows of the folders of the commands that run."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[bytes, dict[bytes, tree.Look]] = {}
        self._users: dict[bytes, int] = {}

    def enter(self, root: bytes, fresh: bool, packs: list[bytes]) -> None:
        """Make a folder what it is on the host, for one more command.

        Args:
            root: The folder.
            fresh: What is in it now is to be removed first.
            packs: What the host has sent for it.

        Raises:
            OSError: That cannot be done.
        """
        os.makedirs(root, exist_ok=True)
        if fresh:
            tree.clear(root)
        placing = place(root, packs)
        known = self._known.get(root)
        if known is None:
            self._known[root] = tree.scan(root)
        else:
            # What other commands have done there meanwhile is still to be sent.
            known.update(placing.here)
            for path in placing.gone:
                known.pop(path, None)
        self._users[root] = self._users.get(root, 0) + 1

    def changes(self, root: bytes) -> "Iterator[bytes]":
        """Pack what changed in a folder since the host had it last."""
        if not os.path.isdir(root):
            yield tree.LOST
            return
        now = tree.scan(root)
        changed, gone = tree.differences(self._known[root], now)
        self._known[root] = now
        yield from tree.pack(root, changed, gone)

    def leave(self, root: bytes) -> None:
        """Forget a folder with its last command."""
        self._users[root] -= 1
        if not self._users[root]:
            del self._users[root], self._known[root]

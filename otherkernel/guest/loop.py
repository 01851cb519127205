"""Waits for several descriptors, and has done what is due when one is ready."""

import select

TYPE_CHECKING = False  # without the import of `typing`
if TYPE_CHECKING:
    from collections.abc import Callable


class Loop:
    """Descriptors, and what is to be done when each can be read or written."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._poll = select.poll()
        self._due: dict[int, Callable[[], object]] = {}

    def watch(self, descriptor: int, do: "Callable[[], object]", write: bool = False) -> None:
        """Have something done whenever a descriptor can be read, or written."""
        self._due[descriptor] = do
        self._poll.register(descriptor, select.POLLOUT if write else select.POLLIN)

    def forget(self, descriptor: int) -> None:
        """Do nothing about a descriptor any more; it need not be watched."""
        if self._due.pop(descriptor, None):
            self._poll.unregister(descriptor)

    def turn(self) -> None:
        """Wait until something is due, and have it done."""
        for descriptor, _ in self._poll.poll():
            do = self._due.get(descriptor)
            if do is not None:
                do()

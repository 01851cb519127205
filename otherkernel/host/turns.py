"""Who may use a guest when: many commands at a time, or one who has it alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that a number of threads can hold at a time, or one alone.

    Args:
        most: That number.
    """

    def __init__(self, most: int) -> None:
        """Let anyone in."""
        self._free = self._most = most
        self._changed = threading.Condition()

    @contextmanager
    def one_of_many(self) -> Iterator[None]:
        """Hold it with others."""
        with self._taking(1):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold it when nobody else does."""
        with self._taking(self._most):
            yield

    @contextmanager
    def _taking(self, places: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._free >= places)
            self._free -= places
        try:
            yield
        finally:
            with self._changed:
                self._free += places
                self._changed.notify_all()

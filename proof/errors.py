"""What the engine raises."""

from __future__ import annotations

from typing import Any


class ProofError(Exception):
    """Something is wrong with a page, an example, a kernel or a record.

    Args:
        message: What is wrong, and what to do about it.
        origin: The line that is to blame, where there is one; it is put before the message.
    """

    def __init__(self, message: str, origin: Any = None) -> None:  # noqa: ANN401 - of `page`
        super().__init__(f"{origin}: {message}" if origin else message)
        self.origin = origin


class KernelLost(ProofError):
    """A kernel failed while it was in use, which says nothing about the example.

    Attributes:
        how: In a few words: `guest: panic`, say.
        up: Whether the kernel goes on to serve.
    """

    def __init__(self, message: str, how: str, *, up: bool = False) -> None:
        super().__init__(message)
        self.how = how
        self.up = up

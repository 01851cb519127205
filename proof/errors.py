"""The one exception that the engine raises for what a user can put right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proof.positions import Origin


class ProofError(Exception):
    """Something is wrong with a page, an example, a kernel or a record.

    Args:
        message: What is wrong, and what to do about it.
        origin: The line that is to blame, where there is one; it is put before the message.
    """

    def __init__(self, message: str, origin: Origin | None = None) -> None:
        super().__init__(f"{origin}: {message}" if origin else message)
        self.origin = origin

"""What the engine raises: what a user can put right, and what befell a virtual machine."""

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


class FetchError(ProofError):
    """A kernel or package could not be had from the archive."""


class KernelFileError(ProofError):
    """The kernels' data file, or a kernel asked for, makes no sense."""


class GuestError(ProofError):
    """The guest itself failed: neither a pass nor a failure of what ran in it.

    Attributes:
        cause: what happened, in words.
        console: the last lines that the guest's kernel printed.
    """

    def __init__(self, cause: str, console: str = "") -> None:
        """Keeps the cause and the console's last lines, and shows both as the message."""
        self.cause = cause
        self.console = console
        tail = "".join(f"\n  | {line}" for line in console.splitlines())
        super().__init__(cause + (f"\nThe console's last lines:{tail}" if tail else ""))


class GuestPanic(GuestError):
    """The guest's kernel panicked."""


class GuestHang(GuestError):
    """The guest stopped answering and was killed."""


class GuestOutOfMemory(GuestError):
    """The guest's memory was full.

    Attributes:
        survived: whether the guest is still up, only the command having been killed.
    """

    def __init__(self, cause: str, console: str = "", survived: bool = False) -> None:
        """Adds whether the guest is still up."""
        super().__init__(cause, console)
        self.survived = survived


class EmulatorDied(GuestError):
    """QEMU itself ended or was killed while the guest was in use."""


class BootFailed(GuestError):
    """The guest never came up."""

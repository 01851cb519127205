"""What goes wrong when a command is to run on another kernel, as a tree of exceptions.

- `Error`: everything below, so that one `except` catches all of it.
    - `FetchError`: a kernel or package could not be had from the archive.
    - `KernelFileError`: the catalogue, or the kernel asked for, makes no sense.
    - `FilesKept`: some of what a command did to its files was not done here.
    - `GuestError`: the guest failed, which says nothing about the command.
        - `BootFailed`, `GuestPanic`, `GuestHang`, `GuestOutOfMemory`, `EmulatorDied`: how.
"""

from __future__ import annotations


class Error(Exception):
    """A command could not be run on another kernel; the message says why and what to do."""


class FetchError(Error):
    """A kernel or package could not be had from the archive."""


class KernelFileError(Error):
    """The catalogue of kernels, or a kernel asked for, makes no sense."""


class FilesKept(Error):
    """What a command did to some of its files was not done here; all the rest was.

    Attributes:
        paths: Those that stayed as they are: they changed here meanwhile, or were never sent.
    """

    def __init__(self, message: str, paths: tuple[str, ...] = ()) -> None:
        self.paths = paths
        super().__init__(message)


class GuestError(Error):
    """The guest itself failed: neither a pass nor a failure of what ran in it.

    Attributes:
        cause: What happened, in words.
        console: The last lines that the guest's kernel printed.
    """

    def __init__(self, cause: str, console: str = "") -> None:
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
        survived: Whether the guest is still up, only the command having been killed.
    """

    def __init__(self, cause: str, console: str = "", survived: bool = False) -> None:
        super().__init__(cause, console)
        self.survived = survived


class EmulatorDied(GuestError):
    """QEMU itself ended or was killed while the guest was in use."""


class BootFailed(GuestError):
    """The guest never came up."""

"""Files to use: which of an example's files did any command open? The kernel's inotify tells."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from proof.errors import ProofError

_IN_OPEN = 0x20
_IN_ONESHOT = 0x80000000
_EVENT = struct.Struct("iIII")


class Watch:
    """Watches files from its beginning to its end.

    Args:
        files: The path of each file, by its name.

    Raises:
        ProofError: The kernel cannot watch them.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            # An event a file and no more, so that their queue never overflows.
            flags = ctypes.c_uint32(_IN_OPEN | _IN_ONESHOT)
            self._names = {
                self._checked(
                    self._libc.inotify_add_watch(self._fd, os.fsencode(path), flags)
                ): name
                for name, path in files.items()
            }
        except ProofError:
            os.close(self._fd)
            raise

    def opened(self) -> frozenset[str]:
        """Return the names of the files that were opened since, asked for once at the end."""
        try:
            events = os.read(self._fd, (1 + 2 * len(self._names)) * _EVENT.size)
        except BlockingIOError:
            return frozenset()
        return frozenset(
            self._names[watch] for watch, mask, *_ in _EVENT.iter_unpack(events) if mask & _IN_OPEN
        )

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            raise ProofError(
                f"the files of an example cannot be watched ({os.strerror(ctypes.get_errno())});"
                " the sysctls fs.inotify.max_user_instances and max_user_watches may be too low"
            )
        return result

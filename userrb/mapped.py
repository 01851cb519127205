"""The memory of a kernel ring buffer, and whether anybody still looks at it."""

from __future__ import annotations

import mmap
from sys import getrefcount
from typing import TYPE_CHECKING

from userrb._core import Reader

if TYPE_CHECKING:
    from userrb.batch import Batch


class Memory:
    """The positions and samples of a ring, mapped: once for C, and once for Python's views.

    It is unmapped when nobody refers to it any more: neither a running call, nor a view.
    """

    def __init__(self, fd: int, size: int, batch: type[Batch]) -> None:
        page = mmap.PAGESIZE
        self.size = size
        self.start = page
        # Views have a mapping of their own, whose `resize` tells whether there are any. A view's
        # `obj` leads to it: whoever closes it there takes no memory away from C.
        self.views = mmap.mmap(fd, page + 2 * size, access=mmap.ACCESS_READ, offset=page)
        self.reader = Reader(fd, size, self.views, batch)
        self._references = getrefcount(self.views)

    def seen(self) -> bool:
        """Tells whether a view is alive."""
        if getrefcount(self.views) <= self._references:
            return False  # each view would hold a reference
        try:
            self.views.resize(0)  # never succeeds: the mapping is read-only, or closed
        except BufferError:
            return True
        except (TypeError, ValueError):
            pass
        return False

    def view(self, index: int) -> memoryview:
        """Return a view of a sample that was taken."""
        start, length = self.reader.span(index)
        start += self.start
        return memoryview(self.views)[start : start + length]

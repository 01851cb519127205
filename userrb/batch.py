"""The samples that one call took from a kernel ring buffer."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

from userrb._core import Taken
from userrb.errors import SampleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

    from userrb.mapped import Memory


class Batch(Taken):
    """The samples that waited in a `RingBuffer`, in their order: a sequence of memoryviews.

    Nothing is copied: a view shows the ring's memory, read-only, until the ring goes on with the
    next call that takes samples, or is closed. Then the views are released, and the batch is no
    longer of use. `RingBuffer.batch` and its kin make batches.

    Not to be used by several threads.

    Raises:
        SampleError: The ring has gone on.
        IndexError: There are fewer samples.
    """

    __slots__ = ()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> memoryview: ...
    @overload
    def __getitem__(self, index: slice) -> list[memoryview]: ...
    def __getitem__(self, index: int | slice) -> memoryview | list[memoryview]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        number = operator.index(index)
        if not -self._count <= number < self._count:
            raise IndexError(f"a batch of {self._count} samples has none at {number}")
        view = self._open().view(number % self._count)
        self._views.append(view)
        return view

    def __iter__(self) -> Iterator[memoryview]:
        return (self[i] for i in range(self._count))

    @property
    def lengths(self) -> list[int]:
        """The bytes of each sample."""
        return memoryview(self._open().reader.lengths()).cast("I").tolist()

    def tobytes(self) -> bytes:
        """Return a copy of all samples, one behind the other, without headers and padding."""
        return self._open().reader.copy()

    def array(self, dtype: DTypeLike) -> np.ndarray[Any, Any]:
        """Return the samples as a NumPy array, if each is a record of this type.

        The array shows the ring's memory where the samples stand at equal distances, and is a copy
        where discarded ones are between them. Delete it before the ring goes on: `BufferError`.

        Args:
            dtype: What a sample is, for example `bpf.structs["event"].dtype`.

        Raises:
            ImportError: NumPy is not installed.
            ValueError: A sample has another size.
        """
        import numpy as np  # noqa: PLC0415 - only who asks for an array needs NumPy

        memory, kind = self._open(), np.dtype(dtype)
        if not self._count:
            return np.empty(0, kind)
        lengths = np.frombuffer(memory.reader.lengths(), np.uint32)
        starts = np.frombuffer(memory.reader.starts(), np.uint32).astype(np.int64)
        if wrong := lengths[lengths != kind.itemsize].tolist():
            raise ValueError(f"a record has {kind.itemsize} bytes, and a sample {wrong[0]}")
        step = (8 + kind.itemsize + 7) // 8 * 8
        distances = (starts - starts[0]) % memory.size
        if (distances != np.arange(self._count, dtype=np.int64) * step).any():
            return np.frombuffer(self.tobytes(), kind)
        offset = memory.start + int(starts[0])
        return np.ndarray((self._count,), kind, memory.views, offset, (step,))

    def _open(self) -> Memory:
        memory = self._memory
        if memory is None:
            raise SampleError("the ring has gone on, and the batch was released")
        return memory

    def _release(self) -> None:
        """End the views; BufferError where something holds one."""
        for view in self._views:
            view.release()

    def __repr__(self) -> str:
        return f"<userrb.Batch of {self._count} samples{'' if self._memory else ', released'}>"

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

    Nothing is copied: the views show the ring's memory, read-only. The next call that takes
    samples, and closing the ring, release them and end the batch. `RingBuffer.batch` and
    `batch_async` return batches.

    Do not use a batch in several threads.

    Raises:
        SampleError: The batch has ended.
        IndexError: The batch has fewer samples.
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
            raise IndexError(f"no sample {number} in a batch of {self._count}")
        view = self._open().view(number % self._count)
        self._views.append(view)
        return view

    def __iter__(self) -> Iterator[memoryview]:
        return (self[i] for i in range(self._count))

    @property
    def lengths(self) -> list[int]:
        """The size of each sample in bytes."""
        return memoryview(self._open().reader.lengths()).cast("I").tolist()

    def tobytes(self) -> bytes:
        """Return a copy of all samples in a row, without headers and padding."""
        return self._open().reader.copy()

    def array(self, dtype: DTypeLike) -> np.ndarray[Any, Any]:
        """Return the samples as a NumPy array of one record each.

        The array shows the ring's memory, or is a copy if there are discarded samples between them.
        Delete it before you take more samples, or that raises `BufferError`.

        Args:
            dtype: The type of a sample, for example `bpf.structs["event"].dtype`.

        Raises:
            ImportError: NumPy is not installed.
            ValueError: A sample has another size than the type.
        """
        import numpy as np  # noqa: PLC0415 - only who asks for an array needs NumPy

        memory, kind = self._open(), np.dtype(dtype)
        if not self._count:
            return np.empty(0, kind)
        lengths = np.frombuffer(memory.reader.lengths(), np.uint32)
        starts = np.frombuffer(memory.reader.starts(), np.uint32).astype(np.int64)
        if wrong := lengths[lengths != kind.itemsize].tolist():
            raise ValueError(f"the type has {kind.itemsize} bytes, but a sample has {wrong[0]}")
        step = (8 + kind.itemsize + 7) // 8 * 8
        distances = (starts - starts[0]) % memory.size
        if (distances != np.arange(self._count, dtype=np.int64) * step).any():
            return np.frombuffer(self.tobytes(), kind)
        offset = memory.start + int(starts[0])
        return np.ndarray((self._count,), kind, memory.views, offset, (step,))

    def _open(self) -> Memory:
        memory = self._memory
        if memory is None:
            raise SampleError("the batch has ended: more samples were taken, or the ring closed")
        return memory

    def _release(self) -> None:
        """End the views; BufferError where something holds one."""
        for view in self._views:
            view.release()

    def __repr__(self) -> str:
        return f"<userrb.Batch of {self._count} samples{'' if self._memory else ', released'}>"

"""The layout of a struct of the BPF program's, to write records that the program reads right."""

from __future__ import annotations

import contextlib
import struct as python_struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, cast

from userrb._core import Sample
from userrb.fields import Fields, Readable
from userrb.flat import Flat, plan
from userrb.values import store

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import Buffer

    from userrb._core import Bytes


@dataclass(frozen=True)
class Field:
    """A member of a struct or union.

    Attributes:
        name: As in the source. The members of an anonymous struct or union belong to its parent.
        offset: Bytes from the start of the struct.
        size: Size in bytes, of the whole array if it is one.
        code: The code of a number in Python's `struct` (`"I"`); `"s"` for a char array.
        shape: The lengths of an array, outermost first; empty for a single value. The last length
            of a char array is in its size instead.
        struct: The layout of the value if it is a struct or union.
        bits: The first bit of a bit-field (counted from the lowest of the `size` bytes at
            `offset`), and its width.
        stride: The bytes of one item of a flexible array; otherwise 0.
    """

    name: str
    offset: int
    size: int
    code: str = ""
    shape: tuple[int, ...] = ()
    struct: Struct | None = None
    bits: tuple[int, int] | None = None
    stride: int = 0

    @property
    def item_size(self) -> int:
        """Bytes of one value."""
        return self.size // prod(self.shape) if self.size else 0

    @property
    def code_size(self) -> int:
        """Bytes of one value in Python's `struct`."""
        return python_struct.calcsize("=" + self.code)

    @cached_property
    def packer(self) -> python_struct.Struct:
        """The `struct.Struct` that packs a number, or all numbers of an array."""
        return python_struct.Struct(f"={prod(self.shape)}{self.code}")

    def __reduce__(self) -> tuple[type[Field], tuple[Any, ...]]:
        return Field, tuple(getattr(self, part.name) for part in fields(self))

    def of_length(self, length: int) -> Field:
        """Return the member as an array of this length, if it is a flexible array."""
        shape = (length, *self.shape[1:]) if self.shape else ()
        return replace(self, size=length * self.stride, shape=shape, stride=0)


@dataclass(frozen=True)
class Struct:
    """The layout of a C struct or union, from `BpfObject.structs`.

    Attributes:
        name: As in the source; empty for an anonymous one.
        size: Size in bytes, padding included. Reserve a sample of this size.
        fields: The members by name.

    Example:
        ```python
        import userrb

        with userrb.BpfObject("drain.bpf.o") as bpf:
            with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
                event = bpf.structs["event"]
                with ring.reserve(event.size) as sample:
                    fields = event.at(sample)
                    fields.pid = 42
                    fields.name = b"init"
                    assert fields.pid == 42
                ring.write(event.pack(pid=43, name=b"kthreadd"))
        ```

    Source: the object's BTF, read by libbpf.
    """

    name: str
    size: int
    fields: Mapping[str, Field] = field(repr=False)

    def at(self, buffer: Readable | Bytes, offset: int = 0) -> Fields:
        """Return the fields of a record in a sample or another buffer, to read and write them.

        They do not keep a view of a sample: you can submit it while you have them. After that, they
        raise `SampleError`. The fields of a memoryview end when you release it.

        Args:
            buffer: A `Sample`, a `bytearray` or a memoryview; to read, also `bytes`.
            offset: Byte at which the record begins.

        Raises:
            ValueError: The offset is negative.
        """
        if offset < 0:
            raise ValueError(f"a record begins at byte 0 or later, not at {offset}")
        readable = cast("Readable", buffer)
        if not isinstance(buffer, (Sample, bytes, bytearray)):
            with contextlib.suppress(TypeError):  # no buffer, but what can be sliced
                view = memoryview(cast("Buffer", buffer))
                if view.format != "B" or view.ndim != 1 or not isinstance(buffer, memoryview):
                    readable = view.cast("B")  # a slice of anything else counts items
        return Fields(self, readable, offset)

    def pack(self, record: Mapping[str, Any] | None = None, /, **values: Any) -> bytes:  # noqa: ANN401 - a field may be anything
        """Return the bytes of a record with these fields, and zeros elsewhere.

        Args:
            record: Fields by name, for names that are keywords in Python, such as `class`.
            **values: Fields by name. A struct is a dict of its fields; an array is any sequence of
                its length. A flexible array may have any length, and makes the record longer.

        Raises:
            AttributeError: There is no such field, or the value of a struct is not a dict.
            ValueError: A value does not fit its field: it is too large or too long, or of another
                type.
        """
        if fast := self._flat and self._flat.compile(self._pack):
            # Stands before the method from now on, and takes a tenth of its time.
            fast.__doc__ = Struct.pack.__doc__
            vars(self)["pack"] = fast
        return self._pack(record, values)

    def _pack(self, record: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bytes:
        buffer = bytearray(self.size)
        named = Fields(self, buffer, 0)
        for name, value in {**(record or {}), **values}.items():
            member = self.fields.get(name)
            if member and member.stride:
                self._append(buffer, member, value)
            else:
                setattr(named, name, value)
        return bytes(buffer)

    def __reduce__(self) -> tuple[type[Struct], tuple[str, int, Mapping[str, Field]]]:
        return Struct, (self.name, self.size, self.fields)

    def unpack(self, data: Bytes, offset: int = 0) -> dict[str, Any]:
        """Return the fields of a record as a dict, with a dict for each struct in it.

        Args:
            data: Bytes, a `Sample` or a memoryview.
            offset: Byte at which the record begins.

        Raises:
            ValueError: The data are shorter than the record.
        """
        if self._flat:
            try:
                return self._flat.unpack(data, offset)
            except python_struct.error:
                pass  # the fields know what to say
        raw = memoryview(cast("Buffer", data)).tobytes()
        if offset < 0 or len(raw) - offset < self.size:
            raise ValueError(
                f"a record of struct {self.name} at byte {offset} has {self.size} bytes, "
                f"but the data have {len(raw)}"
            )
        named = Fields(self, raw, offset)
        return {name: plain(named[name]) for name in self.fields}

    @cached_property
    def _flat(self) -> Flat | None:
        return plan(self.size, self.fields.values())

    def _append(self, buffer: bytearray, member: Field, value: Any) -> None:  # noqa: ANN401 - as above
        """Put a flexible array at the end of a record."""
        try:
            length = len(value)
            raw = store(b"", member.of_length(length), value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}.{member.name}: {error}") from None
        end = member.offset + len(raw)
        if raw and end <= self.size:
            # All of it lies in the padding, and a record of this size has no items.
            end = self.size + member.stride
        buffer.extend(bytes(max(end - len(buffer), 0)))
        buffer[member.offset : member.offset + len(raw)] = raw

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """The layout as a NumPy dtype, with offsets and padding, for `submit_many`.

        Raises:
            ImportError: NumPy is not installed.
            ValueError: The struct has a bit-field, which NumPy does not support.
        """
        import numpy as np  # noqa: PLC0415 - only who asks for a dtype needs NumPy

        formats: list[Any] = []
        for member in self.fields.values():
            if member.bits:
                raise ValueError(f"NumPy has no bit-fields, and {self.name}.{member.name} is one")
            value: Any = member.struct.dtype if member.struct else "=" + member.code
            if member.code == "s":
                # In an array of none, the size is not known, and must not be 0.
                value = f"S{max(member.item_size, len(member.shape[:1]))}"
            formats.append((value, member.shape) if member.shape else value)
        layout: Any = {
            "names": list(self.fields),
            "formats": formats,
            "offsets": [member.offset for member in self.fields.values()],
            "itemsize": self.size,
        }
        dtype: np.dtype[np.void] = np.dtype(layout)
        return dtype


def plain(value: Any) -> Any:  # noqa: ANN401 - a field may be anything
    """Return a value with dicts in place of named fields."""
    if isinstance(value, Fields):
        return {name: plain(value[name]) for name in value}
    return tuple(map(plain, value)) if isinstance(value, tuple) else value

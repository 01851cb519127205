"""The layout of a struct of the BPF program's, to write records that the program reads right."""

from __future__ import annotations

import operator
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np


class Bytes(Protocol):
    """What fields are read from and written to: a `Sample`, a `bytearray`."""

    def __getitem__(self, key: slice, /) -> bytes | bytearray | memoryview:
        """Reads bytes."""

    def __setitem__(self, key: slice, value: bytes, /) -> None:
        """Writes bytes."""


@dataclass(frozen=True)
class Field:
    """A member of a struct or union.

    Attributes:
        name: As in the source; the members of an anonymous struct or union count as its parent's.
        offset: Bytes from the start of the struct.
        size: Bytes, of an array all of it.
        code: Of a number its code in Python's `struct` (`"I"`); `"s"` for a char array.
        shape: Lengths of an array, outermost first; empty for one value. A char array's last
            length is in its size instead.
        struct: The layout of the value, where that is a struct or union.
        bits: Of a bit-field, its first bit (counted from the lowest of the `size` bytes at
            `offset`) and its width.
    """

    name: str
    offset: int
    size: int
    code: str = ""
    shape: tuple[int, ...] = ()
    struct: Struct | None = None
    bits: tuple[int, int] | None = None

    @property
    def item_size(self) -> int:
        """Bytes of one value."""
        return self.size // prod(self.shape) if self.size else 0


@dataclass(frozen=True)
class Struct:
    """The layout of a struct or union, as the BPF compiler laid it out: `BpfObject.structs`.

    Attributes:
        name: As in the source; empty for an anonymous one.
        size: Bytes, padding included: what to reserve.
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

    def at(self, buffer: Bytes, offset: int = 0) -> Fields:
        """Names the fields of a record in a sample, or in any other writable bytes.

        It holds no view: the sample can be submitted while it is there, and refuses from then on.

        Args:
            buffer: A `Sample`, a `bytearray`.
            offset: Byte at which the record begins.
        """
        return Fields(self, buffer, offset)

    def pack(self, /, **values: Any) -> bytes:  # noqa: ANN401 - a field may be anything
        """Returns a record with these fields, and zeros elsewhere.

        Raises:
            AttributeError: There is no such field.
            ValueError: A value does not fit its field.
        """
        record = bytearray(self.size)
        fields = self.at(record)
        for name, value in values.items():
            setattr(fields, name, value)
        return bytes(record)

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """The layout as a NumPy dtype, offsets and padding included, for `submit_many`.

        Raises:
            ImportError: NumPy is not installed.
            ValueError: The struct has a bit-field, for which NumPy has no type.
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


class Fields:
    """The fields of one record, as attributes. Arrays are tuples; a char array is bytes.

    Reading and writing raise what the buffer raises: `SampleError` after submit.
    """

    __slots__ = ("_buffer", "_offset", "_struct")

    def __init__(self, layout: Struct, buffer: Bytes, offset: int) -> None:
        for name, value in (("_struct", layout), ("_buffer", buffer), ("_offset", offset)):
            object.__setattr__(self, name, value)

    def _field(self, name: str) -> tuple[Field, slice]:
        layout: Struct = self._struct
        try:
            member = layout.fields[name]
        except KeyError:
            known = ", ".join(layout.fields)
            message = f"struct {layout.name} has no field {name!r}: it has {known}"
            raise AttributeError(message) from None
        start = self._offset + member.offset
        return member, slice(start, start + member.size)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a field may be anything
        member, where = self._field(name)
        if member.struct:
            parts = [
                Fields(member.struct, self._buffer, where.start + i * member.item_size)
                for i in range(prod(member.shape))
            ]
            return parts[0] if not member.shape else nest(tuple(parts), member.shape)
        raw = bytes(self._buffer[where])
        if member.bits:
            return get_bits(raw, member)
        if member.code == "s":
            size = member.item_size
            texts = (raw[i * size : (i + 1) * size] for i in range(prod(member.shape)))
            return nest(tuple(texts), member.shape)
        return nest(struct.unpack(f"={prod(member.shape)}{member.code}", raw), member.shape)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - a field may be anything
        member, where = self._field(name)
        if member.struct:
            raise AttributeError(f"{name} is a struct: set its fields, or an array's items'")
        try:
            if member.bits:
                raw = set_bits(bytes(self._buffer[where]), member, value)
            else:
                raw = encode(member, value)
        except struct.error as error:
            raise ValueError(f"{self._struct.name}.{name}: {error}") from None
        self._buffer[where] = raw

    def __reduce__(self) -> tuple[type[Fields], tuple[Struct, Bytes, int]]:
        return Fields, (self._struct, self._buffer, self._offset)

    def __dir__(self) -> Iterator[str]:
        return iter(self._struct.fields)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._struct.fields)
        return f"<{self._struct.name or 'struct'}: {values}>"


def encode(member: Field, value: object) -> bytes:
    """Returns the bytes of a field's value; struct.error where it does not fit."""
    values = list(flatten(value, len(member.shape)))
    if len(values) != prod(member.shape):
        raise struct.error(f"{prod(member.shape)} values are needed, not {len(values)}")
    if member.code == "s":
        for text in values:
            if not isinstance(text, (bytes, bytearray)) or len(text) > member.item_size:
                raise struct.error(f"bytes are needed, at most {member.item_size}")
        return b"".join(bytes(text).ljust(member.item_size, b"\0") for text in values)
    return struct.pack(f"={len(values)}{member.code}", *values)


def flatten(value: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401 - a field may be anything
    """Yields the items of nested sequences."""
    if depth == 0:
        yield value
    else:
        for part in value:
            yield from flatten(part, depth - 1)


def nest(values: tuple[Any, ...], shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - as above
    """Nests a flat tuple as an array of this shape; one value without a shape is itself."""
    if not shape:
        return values[0]
    if len(shape) == 1:
        return values
    step = prod(shape[1:])
    return tuple(nest(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0]))


def get_bits(raw: bytes, member: Field) -> int:
    """Reads a bit-field."""
    first, width = member.bits or (0, 0)
    value = (whole(raw, member) >> first) & ((1 << width) - 1)
    if member.code == "?":
        return bool(value)
    signed = member.code.islower() and value >> (width - 1)
    return value - (1 << width) if signed else value


def set_bits(raw: bytes, member: Field, value: int) -> bytes:
    """Writes a bit-field, and leaves its neighbours alone; struct.error where it does not fit."""
    first, width = member.bits or (0, 0)
    value = operator.index(value)  # also of NumPy's integers, which are narrower
    least = -(1 << (width - 1)) if member.code.islower() else 0
    if not least <= value < least + (1 << width):
        raise struct.error(f"{value} does not fit {width} bits")
    rest = whole(raw, member) & ~(((1 << width) - 1) << first)
    return (rest | ((value & ((1 << width) - 1)) << first)).to_bytes(len(raw), sys.byteorder)


def whole(raw: bytes, member: Field) -> int:
    """Returns the number that holds a bit-field: of any size, where the struct is packed."""
    if len(raw) != member.size:
        raise struct.error(f"{member.size} bytes are needed, and the buffer has {len(raw)}")
    return int.from_bytes(raw, sys.byteorder)

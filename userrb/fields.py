"""The fields of one record by name, in whatever bytes it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from userrb.values import load, load_records, store

if TYPE_CHECKING:
    from userrb.layout import Field, Struct


class Readable(Protocol):
    """What fields are read from: bytes, and what a slice gives bytes of."""

    def __len__(self) -> int:
        """Count bytes."""

    def __getitem__(self, key: slice, /) -> bytes | bytearray | memoryview:
        """Read bytes."""


class Fields:
    """The fields of one record. Arrays are tuples, char arrays are bytes, and structs are `Fields`.

    Each field is an attribute (`fields.pid`) and an item (`fields["pid"]`). Use the item if the
    name is a keyword in Python, such as `class`. Iterating gives the names.

    A flexible array at the end of a struct extends to the end of the buffer; it is empty if the
    buffer ends with the struct.

    Reading and writing raise what the buffer raises: `SampleError` after submit, `TypeError` for
    bytes, which cannot be written.

    Raises:
        AttributeError: There is no such field (`KeyError` for an item), or the value of a struct is
            neither a dict nor a record of the same layout.
        ValueError: The value does not fit the field, or the field is beyond the buffer.
    """

    __slots__ = ("_buffer", "_offset", "_struct")

    def __init__(self, layout: Struct, buffer: Readable, offset: int) -> None:
        _LAYOUT.__set__(self, layout)
        _BUFFER.__set__(self, buffer)
        _OFFSET.__set__(self, offset)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a field may be anything
        member, start, raw = _find(self, name)
        struct = member.struct
        if struct is None:
            return load(raw, member)
        buffer = buffer_of(self)
        return load_records(member, lambda at: Fields(struct, buffer, start + at))

    def __setitem__(self, name: str, value: object) -> None:
        member, start, raw = _find(self, name)
        try:
            encoded = store(raw, member, value)
        except ValueError as error:
            raise ValueError(f"{layout_of(self).name}.{name}: {error}") from None
        buffer_of(self)[start : start + member.size] = encoded

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a field may be anything
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __setattr__(self, name: str, value: object) -> None:
        try:
            self[name] = value
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __iter__(self) -> Iterator[str]:
        return iter(layout_of(self).fields)

    def __dir__(self) -> Iterator[str]:
        return iter(self)

    def __bytes__(self) -> bytes:
        layout, offset = layout_of(self), offset_of(self)
        return bytes(buffer_of(self)[offset : offset + layout.size])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Fields):
            return [*self] == [*other] and all(self[name] == other[name] for name in self)
        if isinstance(other, Mapping):
            return set(self) == set(other) and all(self[name] == other[name] for name in self)
        return NotImplemented

    def __hash__(self) -> int:
        if not isinstance(buffer_of(self), bytes):
            raise TypeError("the fields of a record that can change are not hashable")
        return hash(tuple(self[name] for name in self))

    def __reduce__(self) -> tuple[type[Fields], tuple[Struct, Readable, int]]:
        return Fields, (layout_of(self), buffer_of(self), offset_of(self))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={self[name]!r}" for name in self)
        return f"<{layout_of(self).name or 'struct'}: {values}>"


def _find(fields: Fields, name: str) -> tuple[Field, int, bytes]:
    """Return a member, the byte at which it begins, and its bytes."""
    layout, buffer, base = layout_of(fields), buffer_of(fields), offset_of(fields)
    member = layout.fields.get(name)
    if member is None:
        known = ", ".join(layout.fields)
        raise KeyError(f"struct {layout.name} has no field {name!r}: it has {known}")
    start = base + member.offset
    if member.stride and len(buffer) > base + layout.size:
        member = member.of_length((len(buffer) - start) // member.stride)
    end = start + member.size
    if end > len(buffer):
        raise ValueError(
            f"{layout.name}.{name}: bytes {start} to {end} are needed, "
            f"and the buffer has {len(buffer)}"
        )
    return member, start, bytes(buffer[start:end])


# What a record keeps stands in slots without a name on the class: any name may be a field's.
_LAYOUT: Any = vars(Fields)["_struct"]
_BUFFER: Any = vars(Fields)["_buffer"]
_OFFSET: Any = vars(Fields)["_offset"]
layout_of, buffer_of, offset_of = _LAYOUT.__get__, _BUFFER.__get__, _OFFSET.__get__
for _slot in Fields.__slots__:
    delattr(Fields, _slot)

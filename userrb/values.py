"""From the bytes of one member of a struct to its value, and back."""

from __future__ import annotations

import operator
import struct
import sys
from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, SupportsBytes, TypeAlias

if TYPE_CHECKING:
    from userrb.layout import Field

    Record: TypeAlias = Callable[[int], Any]


def load(raw: bytes, member: Field) -> Any:  # noqa: ANN401 - a field may be anything
    """Return the value of a member that is no struct."""
    if member.bits:
        return get_bits(raw, member)
    if member.code == "s":
        size = member.item_size
        texts = (raw[i * size : (i + 1) * size] for i in range(prod(member.shape)))
        return nest(tuple(texts), member.shape)
    return nest(member.packer.unpack(raw), member.shape)


def load_records(member: Field, record: Record) -> Any:  # noqa: ANN401 - as above
    """Return the structs of a member, each made from its layout and its place in the member."""
    starts = range(0, member.item_size * prod(member.shape), member.item_size or 1)
    parts = (record(start) for start in starts or [0] * prod(member.shape))
    return nest(tuple(parts), member.shape)


def store(raw: bytes, member: Field, value: object) -> bytes:
    """Return the bytes of a member with a new value.

    Args:
        raw: Its bytes before, which a bit-field shares with its neighbours.
        member: Where it is, and what.
        value: The new value.

    Raises:
        ValueError: The value does not fit.
        AttributeError: The member is a struct, and the value is no record of it.
    """
    try:
        if member.bits:
            return set_bits(raw, member, value)
        values = flatten(value, member.shape)
        if member.struct:
            return b"".join(encode_record(member, part) for part in values)
        if member.code == "s":
            return b"".join(encode_text(part, member.item_size) for part in values)
        return member.packer.pack(*values)
    except (struct.error, OverflowError, TypeError) as error:
        raise ValueError(str(error)) from None


def encode_text(value: object, size: int) -> bytes:
    """Return bytes, filled up with zeros."""
    if not isinstance(value, (bytes, bytearray)) or len(value) > size:
        raise ValueError(f"bytes are needed, at most {size}")
    return bytes(value).ljust(size, b"\0")


def encode_record(member: Field, value: object) -> bytes:
    """Return the bytes of a struct in a struct."""
    layout = member.struct
    if layout and isinstance(value, Mapping):
        return layout.pack(value)
    if isinstance(value, (SupportsBytes, bytearray, memoryview)):
        raw = bytes(value)
        if len(raw) != member.item_size:
            raise ValueError(f"{member.item_size} bytes are needed, not {len(raw)}")
        return raw
    raise AttributeError(
        f"{member.name} is a struct: set its fields, or give them as a dict, "
        f"not as {type(value).__name__}"
    )


def flatten(value: Any, shape: tuple[int, ...]) -> list[Any]:  # noqa: ANN401 - as above
    """Return the items of nested sequences, each of the length that the shape says."""
    if not shape:
        return [value]
    parts = list(value)
    if len(parts) != shape[0]:
        raise ValueError(f"{shape[0]} values are needed, not {len(parts)}")
    if len(shape) == 1:
        return parts
    return [item for part in parts for item in flatten(part, shape[1:])]


def nest(values: tuple[Any, ...], shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - as above
    """Nests a flat tuple as an array of this shape; one value without a shape is itself."""
    if not shape:
        return values[0]
    if len(shape) == 1:
        return values
    step = prod(shape[1:])
    return tuple(nest(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0]))


def get_bits(raw: bytes, member: Field) -> int:
    """Read a bit-field."""
    first, width = member.bits or (0, 0)
    value = (int.from_bytes(raw, sys.byteorder) >> first) & ((1 << width) - 1)
    if member.code == "?":
        return bool(value)
    signed = member.code.islower() and value >> (width - 1)
    return value - (1 << width) if signed else value


def set_bits(raw: bytes, member: Field, value: Any) -> bytes:  # noqa: ANN401 - as above
    """Write a bit-field, and leave its neighbours alone."""
    first, width = member.bits or (0, 0)
    number = int(operator.index(value))  # also of NumPy's integers, which are narrower
    least = -(1 << (width - 1)) if member.code.islower() else 0
    if not least <= number < least + (1 << width):
        raise ValueError(f"{number} does not fit {width} bits")
    mask = (1 << width) - 1
    rest = int.from_bytes(raw, sys.byteorder) & ~(mask << first)
    return (rest | ((number & mask) << first)).to_bytes(len(raw), sys.byteorder)

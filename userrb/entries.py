"""A map's keys and values as Python sees them: numbers and records, as the BTF says, or bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from userrb.fields import Fields
from userrb.values import load, load_records, store

if TYPE_CHECKING:
    from userrb.layout import Field


@dataclass(frozen=True)
class Codec:
    """How the keys, or the values, of a map are written and read.

    Attributes:
        what: Words for messages: "a key of map 'x'".
        size: Bytes of one.
        member: What the BTF says; None where it says nothing.
    """

    what: str
    size: int
    member: Field | None

    def encode(self, value: Any) -> bytes:  # noqa: ANN401 - a value may be anything
        """Return the bytes of a value; bytes are taken as they are.

        Raises:
            ValueError: It does not fit.
            TypeError: It is of another type.
        """
        if isinstance(value, (bytes, bytearray, memoryview)):
            raw = bytes(value)
            if self.member and self.member.code == "s" and not self.member.shape:
                raw = raw.ljust(self.size, b"\0")
            return self.whole(raw)
        if self.member:
            try:
                return store(bytes(self.size), self.member, value)
            except AttributeError as error:
                raise TypeError(f"{self.what}: {error}") from None
            except ValueError as error:
                if not is_buffer(value):
                    raise ValueError(f"{self.what}: {error}") from None
        if not is_buffer(value):
            raise TypeError(
                f"{self.what} is bytes, not {type(value).__name__}: the BTF does not say its type"
            )
        return self.whole(memoryview(value).tobytes())

    def whole(self, raw: bytes) -> bytes:
        """Return the bytes if there are as many as needed.

        Raises:
            ValueError: There are more or less.
        """
        if len(raw) != self.size:
            raise ValueError(f"{self.what} has {self.size} bytes, not {len(raw)}")
        return raw

    def decode(self, raw: bytes) -> Any:  # noqa: ANN401 - a value may be anything
        """Return the value of these bytes."""
        if self.member is None:
            return raw
        struct = self.member.struct
        if struct is None:
            return load(raw, self.member)
        return load_records(self.member, lambda at: Fields(struct, raw, at))


@dataclass(frozen=True)
class PerCpu:
    """How the values of a per-CPU map are written and read: one for each processor.

    Attributes:
        codec: Of one value.
        processors: How many there may be.
    """

    codec: Codec
    processors: int

    @property
    def stride(self) -> int:
        """Bytes from one value to the next."""
        return (self.codec.size + 7) // 8 * 8

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self.stride * self.processors

    def encode(self, value: Any) -> bytes:  # noqa: ANN401 - a value may be anything
        """Return the bytes of all values, given one by one or as bytes.

        Raises:
            ValueError: There are more or fewer than processors, or one does not fit.
            TypeError: It is no sequence, or one is of another type.
        """
        if isinstance(value, (bytes, bytearray, memoryview)):
            raw = bytes(value)
            if len(raw) != self.size:
                raise ValueError(f"{self.codec.what} has {self.size} bytes, not {len(raw)}")
            return raw
        values = list(value)
        if len(values) != self.processors:
            raise ValueError(
                f"{self.codec.what} is one for each of {self.processors} processors, "
                f"not {len(values)}"
            )
        return b"".join(self.codec.encode(one).ljust(self.stride, b"\0") for one in values)

    def decode(self, raw: bytes) -> tuple[Any, ...]:
        """Return the values, one for each processor."""
        starts = range(0, self.size, self.stride)
        return tuple(self.codec.decode(raw[at : at + self.codec.size]) for at in starts)


def is_buffer(value: object) -> bool:
    """Tells whether an object has bytes to show."""
    try:
        memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True

"""Records of a struct of numbers and texts: packed and read by one call of Python's `struct`."""

from __future__ import annotations

import keyword
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from userrb.layout import Field

Slow: TypeAlias = Callable[[Mapping[str, Any] | None, dict[str, Any]], bytes]


class Zero(int):
    """What a number is that is not given: not the zero that somebody gives."""


class Flat:
    """The plan of a struct that Python's `struct` knows all of: made once, used for each record."""

    def __init__(self, size: int, members: list[Field]) -> None:
        codes, end = ["="], 0
        self.defaults: dict[str, Any] = {}
        self.texts: dict[str, int] = {}
        self.arrays: dict[str, int] = {}
        for member in members:
            codes.append(f"{member.offset - end}x{member.size // member.code_size}{member.code}")
            end = member.offset + member.size
            self.defaults[member.name] = Zero()
            if member.code == "s":
                self.texts[member.name] = member.size
                self.defaults[member.name] = bytes(member.size)
            elif member.shape:
                self.arrays[member.name] = member.shape[0]
                self.defaults[member.name] = (0,) * member.shape[0]
        self.packer = struct.Struct("".join([*codes, f"{size - end}x"]))

    def compile(self, slow: Slow) -> Callable[..., bytes] | None:
        """Return a function with a keyword for each field; None where a name cannot be one.

        Taking a dict of keywords apart would take longer than packing them: so Python does it, as
        for the methods of a dataclass.

        Args:
            slow: Is called with what is given where that needs a closer look.
        """
        names = list(self.defaults)
        if not all(name.isidentifier() and not keyword.iskeyword(name) for name in names):
            return None
        own = "_"  # before the function's own names, which no field's name may be
        while any(name.startswith(own) for name in names):
            own += "_"
        checks = [
            *(f"{own}isinstance({name}, {own}bytes)" for name in self.texts),
            *(f"{own}len({name}) <= {size}" for name, size in self.texts.items()),
            *(f"{own}len({name}) == {length}" for name, length in self.arrays.items()),
            "True",
        ]
        keywords = ", ".join(f"{name}={own}defaults[{name!r}]" for name in names)
        items = ", ".join(f"*{name}" if name in self.arrays else name for name in names)
        given = ", ".join(f"{name!r}: {name}" for name in names)
        source = f"""
def pack({own}record=None, /, *, {keywords}, **{own}rest):
    if {own}record is None and not {own}rest:
        try:
            if {" and ".join(checks)}:
                return {own}pack({items})
        except {own}errors:
            pass
    return {own}slow({own}record, {{{given}, **{own}rest}})
"""

        def only_given(record: Mapping[str, Any] | None, values: dict[str, Any]) -> bytes:
            default = self.defaults.get
            given = {name: value for name, value in values.items() if value is not default(name)}
            return slow(record, given)

        namespace: dict[str, Any] = {
            f"{own}defaults": self.defaults,
            f"{own}pack": self.packer.pack,
            f"{own}slow": only_given,
            f"{own}errors": (struct.error, OverflowError, TypeError),
            f"{own}isinstance": isinstance,
            f"{own}bytes": bytes,
            f"{own}len": len,
        }
        exec(source, namespace)  # noqa: S102 - of names that are identifiers, and of numbers
        function: Callable[..., bytes] = namespace["pack"]
        return function

    def unpack(self, data: Any, offset: int) -> dict[str, Any]:  # noqa: ANN401 - any buffer
        """Return the values of a record."""
        values = self.packer.unpack_from(data, offset)
        if not self.arrays:
            return dict(zip(self.defaults, values, strict=True))
        record, at = {}, 0
        for name in self.defaults:
            if length := self.arrays.get(name):
                record[name] = values[at : at + length]
                at += length
            else:
                record[name] = values[at]
                at += 1
        return record


def plan(size: int, members: Iterable[Field]) -> Flat | None:
    """Return the plan of a struct, if Python's `struct` knows all of it."""
    ordered = sorted(members, key=lambda member: member.offset)
    end = 0
    for member in ordered:
        dimensions = len(member.shape) + (member.code == "s")
        if member.struct or member.bits or dimensions > 1 or not member.size or member.offset < end:
            return None
        end = member.offset + member.size
    return Flat(size, ordered) if ordered else None

"""From an object's BTF to the layouts of its structs; libbpf reads the BTF."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from userrb._libbpf import ffi, lib
from userrb.layout import Field, Struct

if TYPE_CHECKING:
    from userrb._libbpf import CData

MODIFIERS = frozenset(
    {
        lib.BTF_KIND_TYPEDEF,
        lib.BTF_KIND_VOLATILE,
        lib.BTF_KIND_CONST,
        lib.BTF_KIND_RESTRICT,
        lib.BTF_KIND_TYPE_TAG,
    }
)
COMPOSITES = frozenset({lib.BTF_KIND_STRUCT, lib.BTF_KIND_UNION})
UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
DEPTH_MAX = 32
"""How many types may stand in a row, as for libbpf: more is a type that refers to itself."""
FLOATS = {2: "e", 4: "f", 8: "d"}


def read_structs(btf: CData) -> dict[str, Struct]:
    """Returns the layout of every named struct and union; none where the object has no BTF."""
    if btf == ffi.NULL:
        return {}
    reader = Reader(btf)
    structs = {}
    for number in range(1, lib.btf__type_cnt(btf)):
        kind = lib.btf__type_by_id(btf, number)
        if lib.btf_kind(kind) not in COMPOSITES:
            continue
        # The kernel looks at BTF only where a program needs it: it may be broken.
        with contextlib.suppress(Broken, RecursionError):
            if name := reader.name(kind.name_off):
                structs[name] = reader.struct(number)
    return structs


class Broken(Exception):
    """A type refers to what is not there, or to itself."""


class Reader:
    """Reads the types of one BTF."""

    def __init__(self, btf: CData) -> None:
        self.btf = btf
        self.known: dict[int, Struct] = {}

    def name(self, offset: int) -> str:
        """Returns a name; empty for what is anonymous."""
        name = lib.btf__name_by_offset(self.btf, offset)
        if name == ffi.NULL:
            raise Broken
        return str(ffi.string(name).decode(errors="replace"))

    def type(self, number: int) -> CData:
        """Returns a type."""
        found = lib.btf__type_by_id(self.btf, number)
        if found == ffi.NULL:
            raise Broken
        return found

    def size(self, number: int) -> int:
        """Returns the bytes of a value of a type."""
        size = int(lib.btf__resolve_size(self.btf, number))
        if size < 0:
            raise Broken
        return size

    def struct(self, number: int) -> Struct:
        """Returns the layout of a struct or union."""
        if number not in self.known:
            kind = self.type(number)
            members = {member.name: member for member in self.members(kind, 0)}
            self.known[number] = Struct(self.name(kind.name_off), kind.size, members)
        return self.known[number]

    def members(self, kind: CData, base: int) -> Iterator[Field]:
        """Yields the members of a struct, and those of its anonymous members as its own."""
        for i in range(lib.btf_vlen(kind)):
            member = lib.btf_members(kind)[i]
            name = self.name(member.name_off)
            offset = lib.btf_member_bit_offset(kind, i)
            width = lib.btf_member_bitfield_size(kind, i)
            if name and width:
                end = base + kind.size
                yield self.bit_field(name, member.type, base * 8 + offset, width, end)
                continue
            if name:
                yield self.field(name, member.type, base + offset // 8)
                continue
            inner = self.type(self.resolve(member.type))
            if lib.btf_kind(inner) in COMPOSITES:
                yield from self.members(inner, base + offset // 8)

    def bit_field(self, name: str, number: int, bit_offset: int, width: int, end: int) -> Field:
        """Returns a bit-field; `end` is where the struct ends, in bytes."""
        number = self.resolve(number)
        size = self.size(number)
        code = self.code(self.type(number), size)
        # The value that holds the bits begins at a multiple of its own size, unless it is packed.
        start = bit_offset // (size * 8) * size
        if start + size > end or bit_offset + width > (start + size) * 8:
            start = bit_offset // 8
            size = (bit_offset % 8 + width + 7) // 8
        return Field(name, start, size, code, bits=(bit_offset - start * 8, width))

    def field(self, name: str, number: int, offset: int) -> Field:
        """Returns a member that is no bit-field."""
        shape: list[int] = []
        number = self.resolve(number)
        while lib.btf_kind(kind := self.type(number)) == lib.BTF_KIND_ARRAY:
            if len(shape) == DEPTH_MAX:
                raise Broken
            shape.append(int(lib.btf_array(kind).nelems))
            number = self.resolve(lib.btf_array(kind).type)
        size = self.size(number)
        if lib.btf_kind(kind) in COMPOSITES:
            total = size
            for length in shape:
                total *= length
            layout = self.struct(number)
            return Field(name, offset, total, shape=tuple(shape), struct=layout)
        code = self.code(kind, size)
        if not code or (shape and self.name(kind.name_off) == "char"):
            # Text; or a number that Python has no code for, such as one of 16 bytes.
            size *= shape.pop() if shape else 1
            code = "s"
        total = size
        for length in shape:
            total *= length
        return Field(name, offset, total, code, tuple(shape))

    def resolve(self, number: int) -> int:
        """Returns the type behind typedefs and qualifiers."""
        for _ in range(DEPTH_MAX):
            kind = self.type(number)
            if lib.btf_kind(kind) not in MODIFIERS:
                return int(number)
            number = kind.type
        raise Broken

    def code(self, kind: CData, size: int) -> str:
        """Returns a number's code in Python's `struct`; empty where it has none."""
        which = lib.btf_kind(kind)
        if which == lib.BTF_KIND_FLOAT:
            return FLOATS.get(size, "")
        code = UNSIGNED.get(size, "")
        if which == lib.BTF_KIND_INT:
            encoding = lib.btf_int_encoding(kind)
            if encoding & lib.BTF_INT_BOOL:
                return "?"
            return code.lower() if encoding & lib.BTF_INT_SIGNED else code
        if which in (lib.BTF_KIND_ENUM, lib.BTF_KIND_ENUM64):
            return code.lower() if lib.btf_kflag(kind) else code
        return code  # a pointer

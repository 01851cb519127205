"""From an object's BTF to the layouts of its structs; libbpf reads the BTF."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from math import prod
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


CLANG_WITH_SIGNED_ENUMS = 15
"""The first clang that says in the BTF which enums are signed."""

LEAST_NEGATIVE = -(1 << 16)
"""Where the BTF does not say whether an enum is signed: the least of its values that is taken for
negative. What is further from zero is more likely a flag in the highest bit."""


def read_structs(btf: CData, path: str | bytes | None = None) -> dict[str, Struct]:
    """Return the layout of every struct and union that has a name, or a typedef's.

    Args:
        btf: None of it is read where the object has no BTF.
        path: The object file.
    """
    return Reader(btf, path).structs() if btf != ffi.NULL else {}


class Broken(Exception):
    """A type refers to what is not there, or to itself."""


class Reader:
    """Reads the types of one BTF."""

    def __init__(self, btf: CData, path: str | bytes | None = None) -> None:
        self.btf = btf
        self.path = path
        self.known: dict[int, Struct] = {}
        self.aliases: dict[str, int] = {}
        self.typedefs: dict[int, str] = {}

    def structs(self) -> dict[str, Struct]:
        """Return the layouts by name; a struct's own name comes before a typedef's."""
        composites = []
        for number in range(1, lib.btf__type_cnt(self.btf)):
            # The kernel looks at BTF only where a program needs it: it may be broken.
            with contextlib.suppress(Broken):
                kind = self.type(number)
                if lib.btf_kind(kind) in COMPOSITES:
                    composites.append(number)
                elif lib.btf_kind(kind) == lib.BTF_KIND_TYPEDEF:
                    behind, alias = self.resolve(number), self.name(kind.name_off)
                    if lib.btf_kind(self.type(behind)) in COMPOSITES:
                        self.aliases.setdefault(alias, behind)
                        self.typedefs.setdefault(behind, alias)
        named = {}
        for number in composites:
            with contextlib.suppress(Broken, RecursionError):
                if name := self.name(self.type(number).name_off):
                    named[name] = self.struct(number)
        for alias, number in self.aliases.items():
            with contextlib.suppress(Broken, RecursionError):
                named.setdefault(alias, self.struct(number))
        return named

    def section(self, number: int) -> Struct | None:
        """Return a section of global variables as a struct; None if the type is another one."""
        with contextlib.suppress(Broken, RecursionError):
            kind = self.type(number)
            if lib.btf_kind(kind) != lib.BTF_KIND_DATASEC:
                return None
            members = {}
            for i in range(lib.btf_vlen(kind)):
                place = lib.btf_var_secinfos(kind)[i]
                variable = self.type(place.type)
                if lib.btf_kind(variable) != lib.BTF_KIND_VAR:
                    continue
                name = self.name(variable.name_off)
                with contextlib.suppress(Broken, RecursionError):
                    members[name] = replace(self.field(name, variable.type, place.offset), stride=0)
            return Struct(self.name(kind.name_off), kind.size, members)
        return None

    def value(self, name: str, number: int, size: int) -> Field | None:
        """Return how to read a map's key or value; None where only its size is known."""
        if number:
            with contextlib.suppress(Broken, RecursionError):
                member = replace(self.field(name, number, 0), stride=0)
                return member if member.size == size else None
        return None

    @cached_property
    def clang(self) -> int | None:
        """The version of the clang that made the object, where its debug information says so."""
        if self.path is None:
            return None
        with open(self.path, "rb") as file:  # noqa: PTH123 - pathlib takes longer than userrb
            found = re.search(rb"clang version (\d+)", file.read())
        return int(found[1]) if found else None

    def name(self, offset: int) -> str:
        """Return a name; empty for what is anonymous."""
        name = lib.btf__name_by_offset(self.btf, offset)
        if name == ffi.NULL:
            raise Broken
        return str(ffi.string(name).decode(errors="replace"))

    def type(self, number: int) -> CData:
        """Return a type."""
        found = lib.btf__type_by_id(self.btf, number)
        if found == ffi.NULL:
            raise Broken
        return found

    def size(self, number: int) -> int:
        """Return the bytes of a value of a type."""
        size = int(lib.btf__resolve_size(self.btf, number))
        if size < 0:
            raise Broken
        return size

    def struct(self, number: int) -> Struct:
        """Return the layout of a struct or union."""
        if number not in self.known:
            kind = self.type(number)
            members = {member.name: member for member in self.members(kind, 0)}
            end = max((end_of(member) for member in members.values()), default=0)
            for name, member in members.items():
                if member.stride and member.offset < end:
                    members[name] = replace(member, stride=0)  # something stands behind it
            own = self.name(kind.name_off) or self.typedefs.get(number, "")
            self.known[number] = Struct(own, kind.size, members)
        return self.known[number]

    def members(self, kind: CData, base: int) -> Iterator[Field]:
        """Yield the members of a struct, and those of its anonymous members as its own."""
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
        """Return a bit-field; `end` is where the struct ends, in bytes."""
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
        """Return a member that is no bit-field."""
        shape: list[int] = []
        number = self.resolve(number)
        while lib.btf_kind(kind := self.type(number)) == lib.BTF_KIND_ARRAY:
            if len(shape) == DEPTH_MAX:
                raise Broken
            shape.append(int(lib.btf_array(kind).nelems))
            number = self.resolve(lib.btf_array(kind).type)
        size = self.size(number)
        stride = size * prod(shape[1:]) if shape and not shape[0] else 0
        if lib.btf_kind(kind) in COMPOSITES:
            layout, total = without_flexible(self.struct(number)), size * prod(shape)
            return Field(name, offset, total, "", tuple(shape), layout, stride=stride)
        code = self.code(kind, size)
        if not code or (shape and self.name(kind.name_off) == "char"):
            # Text; or a number that Python has no code for, such as one of 16 bytes.
            size *= shape.pop() if shape else 1
            code = "s"
        return Field(name, offset, size * prod(shape), code, tuple(shape), stride=stride)

    def resolve(self, number: int) -> int:
        """Return the type behind typedefs and qualifiers."""
        for _ in range(DEPTH_MAX):
            kind = self.type(number)
            if lib.btf_kind(kind) not in MODIFIERS:
                return int(number)
            number = kind.type
        raise Broken

    def code(self, kind: CData, size: int) -> str:
        """Return a number's code in Python's `struct`; empty where it has none."""
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
            return code.lower() if self.signed(kind) else code
        return code  # a pointer

    def signed(self, kind: CData) -> bool:
        """Tells whether an enum has negative values."""
        if lib.btf_kflag(kind) or lib.btf_kind(kind) == lib.BTF_KIND_ENUM64:
            return bool(lib.btf_kflag(kind))
        values = (lib.btf_enum(kind)[i].val for i in range(lib.btf_vlen(kind)))
        if not any(LEAST_NEGATIVE <= value < 0 for value in values):
            return False
        return self.clang is None or self.clang < CLANG_WITH_SIGNED_ENUMS


def end_of(member: Field) -> int:
    """Return the byte at which a member ends."""
    if member.bits:
        return member.offset + (sum(member.bits) + 7) // 8
    return member.offset + member.size


def without_flexible(layout: Struct) -> Struct:
    """Return the layout of a struct in another: what is behind it is no longer its own."""
    if not any(member.stride for member in layout.fields.values()):
        return layout
    fields = {name: replace(member, stride=0) for name, member in layout.fields.items()}
    return replace(layout, fields=fields)

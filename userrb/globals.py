"""The global variables of a BPF object: set before the load, read and written after it."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from userrb._libbpf import ffi, lib
from userrb.descriptor import Unique
from userrb.fields import Fields

if TYPE_CHECKING:
    from userrb._libbpf import CData
    from userrb.btf import Reader
    from userrb.fields import Readable
    from userrb.layout import Struct
    from userrb.map import BpfMap

SECTIONS = (".rodata", ".data", ".bss")
"""How the sections begin that hold variables which user space may set."""


@dataclass
class Section:
    """A section of global variables, which is a map of one value.

    Attributes:
        layout: The variables, as if the section were a struct.
        handle: libbpf's map.
        name: The map's name.
        memory: What holds the variables, once they were used after the load.
    """

    layout: Struct
    handle: CData
    name: str
    memory: Readable | None = None

    def initial(self) -> Fields:
        """Return the variables as they are before the load."""
        size = ffi.new("size_t *")
        start = ffi.cast("char *", lib.bpf_map__initial_value(self.handle, size))
        return Fields(self.layout, ffi.buffer(start, size[0]), 0)

    def loaded(self, map_: BpfMap) -> Fields:
        """Return the variables as they are in the kernel."""
        if self.memory is None:
            self.memory = self._open(map_)
        elif isinstance(self.memory, bytes):
            self.memory = map_.lookup(0) or b""
        return Fields(self.layout, self.memory, 0)

    def _open(self, map_: BpfMap) -> Readable:
        constant = self.layout.name.startswith(".rodata")
        access = mmap.ACCESS_READ if constant else mmap.ACCESS_WRITE
        try:
            return mmap.mmap(map_.fileno(), self.layout.size, access=access)
        except OSError:
            # Newer libbpf lets nobody map a section that has static variables only.
            return map_.lookup(0) or b""


class Globals(Unique):
    """The global variables of a loaded `BpfObject` by name, with the types in its BTF.

    You read and write the memory that the BPF programs use. A struct is `Fields`; writing one of
    them writes to the variable. To set the whole struct, assign a dict. A variable of more than 8
    bytes may change in several steps. May be used from several threads.

    Raises:
        KeyError: The object has no such variable.
        ValueError: The value does not fit.
        TypeError: The variable is read-only: it is `const`, or in a section with only static
            variables. Set it before the load: `BpfObject(path, globals={...})`.
        ObjectClosed: The object is closed.
    """

    def __init__(self, sections: list[Section], maps: Mapping[str, BpfMap]) -> None:
        self._sections = sections
        self._maps = maps

    def _loaded(self, name: str) -> Fields:
        for section in self._sections:
            if name in section.layout.fields:
                map_ = self._maps[section.name]
                map_._open()
                return section.loaded(map_)
        raise KeyError(name)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a variable may be anything
        return self._loaded(name)[name]

    def __setitem__(self, name: str, value: object) -> None:
        variables = self._loaded(name)
        try:
            variables[name] = value
        except TypeError:
            raise TypeError(
                f"global variable {name!r} cannot be written once it is loaded: "
                "set it before, with BpfObject(path, globals={...})"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def __iter__(self) -> Iterator[str]:
        return (name for section in self._sections for name in section.layout.fields)

    def __len__(self) -> int:
        return sum(len(section.layout.fields) for section in self._sections)

    def __repr__(self) -> str:
        return f"<userrb.Globals: {', '.join(self)}>"


def find_sections(maps: Iterator[CData], reader: Reader | None) -> list[Section]:
    """Return the sections of an object whose variables user space may set."""
    sections = []
    for handle in maps if reader else ():
        layout = reader.section(lib.bpf_map__btf_value_type_id(handle)) if reader else None
        if layout and layout.name.startswith(SECTIONS):
            name = ffi.string(lib.bpf_map__name(handle)).decode()
            sections.append(Section(layout, handle, name))
    return sections


def set_initial(sections: list[Section], values: Mapping[str, Any], path: str | bytes) -> None:
    """Set variables before the load.

    Raises:
        ValueError: There is no such variable, or the value does not fit.
    """
    for name, value in values.items():
        section = next((part for part in sections if name in part.layout.fields), None)
        if section is None:
            known = ", ".join(found for part in sections for found in part.layout.fields)
            raise ValueError(
                f"{path!r} has no global variable {name!r}: "
                + (f"it has {known}" if known else "its BTF has none (compile it with clang -g)")
            )
        try:
            section.initial()[name] = value
        except AttributeError as error:
            raise ValueError(f"global variable {error}") from None

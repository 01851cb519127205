"""A BPF object file: opened, loaded into the kernel, closed."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from userrb import log
from userrb._libbpf import ffi, lib
from userrb.btf import Reader
from userrb.descriptor import Unique
from userrb.errors import LoadError
from userrb.globals import Globals, find_sections, set_initial
from userrb.layout import Struct
from userrb.map import BpfMap, encode
from userrb.program import BpfProgram

if TYPE_CHECKING:
    from userrb._libbpf import CData


MAX_ENTRIES_MAX = 2**32 - 1


class BpfObject(Unique):
    """A BPF object file that clang compiled, loaded into the kernel.

    Use it as a context manager, or close it. That unloads its maps and programs, except a map that
    a ring still uses. If you drop the object without closing it, it stays open as long as you keep
    one of its maps or programs. May be used from several threads.

    Args:
        path: The object file.
        max_entries: Sizes of maps by name, instead of those in the source: a number of entries, or
            for a ring buffer of bytes, which libbpf rounds up to a power of two and whole pages.
        globals: Initial values of global variables by name, `const` ones included (`.rodata`,
            `.data`, `.bss`). Their types are those in the BTF: numbers, `bytes`, sequences for
            arrays, dicts for structs.

    Attributes:
        maps: The maps by name.
        programs: The programs by name, except those whose section begins with `?`, which libbpf
            does not load.
        structs: The layouts of the structs and unions that have a name, or a typedef, in the
            object's BTF (`clang -g`). The BTF has those of global variables, maps and function
            parameters, but not of local variables. To add one, declare a global such as
            `const struct event *unused`.
        globals: The global variables by name, to read and write.

    Raises:
        ValueError: The object has no such map or global variable, or the value does not fit.
        ObjectNotFound: The file does not exist.
        LoadError: The file is not a BPF object, or the kernel refused it (see `BpfError.log`).
        NotPermitted: The process may not load BPF programs.
        KernelTooOld: The object has a user ring buffer, and Linux is older than 6.1.

    Example:
        ```python
        import userrb

        with userrb.BpfObject("drain.bpf.o", max_entries={"samples": 1 << 20}) as bpf:
            assert bpf.maps["samples"].max_entries == 1 << 20
            assert bpf.programs["drain"].test_run().retval == 0
        ```

    Source: `bpf_object__open_file`, `bpf_map__set_max_entries`, `bpf_map__initial_value` and
    `bpf_object__load` of libbpf.
    """

    maps: Mapping[str, BpfMap]
    programs: Mapping[str, BpfProgram]
    structs: Mapping[str, Struct]
    globals: Globals

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_entries: Mapping[str, int] | None = None,
        globals: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> None:
        self.path = os.fspath(path)
        self.maps, self.programs = MappingProxyType({}), MappingProxyType({})
        self._handle: CData | None = self._open()
        btf = lib.bpf_object__btf(self._handle)
        reader = None if btf == ffi.NULL else Reader(btf, self.path)
        sections = find_sections(each(lib.bpf_object__next_map, self._handle), reader)
        set_initial(sections, globals or {}, self.path)
        self._set_max_entries(max_entries or {}, {section.name for section in sections})
        self._load()
        handle = self._handle
        lock = threading.RLock()
        self.structs = MappingProxyType(reader.structs() if reader else {})
        self.maps = MappingProxyType(
            {map_.name: map_ for map_ in map(BpfMap, each(lib.bpf_object__next_map, handle))}
        )
        if reader:
            for part in each(lib.bpf_object__next_map, handle):
                self.maps[ffi.string(lib.bpf_map__name(part)).decode()]._set_types(part, reader)
        self.globals = Globals(sections, self.maps)
        self.programs = MappingProxyType(
            {
                program.name: program
                for program in (
                    BpfProgram(part, handle, lock)
                    for part in each(lib.bpf_object__next_program, handle)
                    if lib.bpf_program__fd(part) >= 0
                )
            }
        )

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle is None

    def _open(self) -> CData:
        log.listen()
        log.take()
        handle = lib.bpf_object__open_file(encode(self.path), ffi.NULL)
        number = ffi.errno
        # Closed when nobody refers to it any more, also where the rest of this fails.
        handle = ffi.gc(handle, lib.bpf_object__close)
        if handle == ffi.NULL:
            if not os.path.exists(self.path):  # noqa: PTH110 - a path may be bytes
                raise log.failure(number, f"opening {self.path}")
            raise log.failure(number, f"opening {self.path}", LoadError)
        return handle

    def _set_max_entries(self, sizes: Mapping[str, int], sections: set[str]) -> None:
        named = {
            ffi.string(lib.bpf_map__name(part)).decode(): part
            for part in each(lib.bpf_object__next_map, self._handle)
        }
        for name, size in sizes.items():
            if name not in named or name in sections:
                known = ", ".join(name for name in named if name not in sections)
                raise ValueError(f"{self.path!r} has no map {name!r}: it has {known}")
            number = operator.index(size)
            if not 0 < number <= MAX_ENTRIES_MAX:
                raise ValueError(
                    f"max_entries of map {name!r} must be 1 to {MAX_ENTRIES_MAX}, not {number}"
                )
            result = lib.bpf_map__set_max_entries(named[name], number)
            if result < 0:
                raise log.failure(-result, f"setting max_entries of map {name!r}")

    def _load(self) -> None:
        handle = self._handle
        result = lib.bpf_object__load(handle)
        if result < 0:
            doing = f"loading {self.path} into the kernel"
            ringbufs = any(
                lib.bpf_map__type(map_) == lib.BPF_MAP_TYPE_USER_RINGBUF
                for map_ in each(lib.bpf_object__next_map, handle)
            )
            error = log.failure(-result, doing, LoadError)
            self._handle = handle = None  # now, and not with the traceback
            if ringbufs and isinstance(error, LoadError):
                log.raise_if_kernel_too_old(doing, error)
            raise error
        log.take()

    def close(self) -> None:
        """Close the object, its maps and its programs. You may call it again.

        Calls that run in other threads finish normally. Rings and links stay open.
        """
        # No lock: a signal handler may close the object while this very thread closes it.
        for map_ in self.maps.values():
            map_._close()
        for program in self.programs.values():
            program._close()
        self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        parts = f"maps={list(self.maps)}, programs={list(self.programs)}"
        return f"<userrb.BpfObject {self.path!r}, {'closed' if self.closed else parts}>"


def each(next_: Callable[[CData, CData], CData], handle: CData | None) -> Iterator[CData]:
    """Iterate in libbpf's way: from NULL to NULL."""
    item = next_(handle, ffi.NULL)
    while item != ffi.NULL:
        yield item
        item = next_(handle, item)

"""A BPF object file: opened, loaded into the kernel, closed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from userrb import log
from userrb._libbpf import ffi, lib
from userrb.btf import read_structs
from userrb.descriptor import Unique
from userrb.errors import LoadError
from userrb.layout import Struct
from userrb.map import BpfMap, encode
from userrb.program import BpfProgram

if TYPE_CHECKING:
    from userrb._libbpf import CData


class BpfObject(Unique):
    """A BPF object file, as clang made it, loaded into the kernel.

    Use it as a context manager, or close it: the maps and programs go with it, but a map stays as
    long as a `UserRingBuffer` uses it. May be used from several threads.

    Args:
        path: The object file.

    Attributes:
        maps: The maps by name.
        programs: The programs by name, but not those that libbpf leaves out because their section
            begins with `?`.
        structs: The layouts of the named structs and unions in the object's BTF (`clang -g`): of
            global variables, maps and function parameters, but not of local variables. To have
            another one, name it in a global: `const struct event *unused`.

    Raises:
        ObjectNotFound: There is no such file.
        LoadError: It is no BPF object, or the kernel refused it (see `BpfError.log`).
        NotPermitted: The process may not load BPF programs.
        KernelTooOld: The object has a user ring buffer, and Linux is older than 6.1.

    Source: `bpf_object__open_file` and `bpf_object__load` of libbpf.
    """

    maps: Mapping[str, BpfMap]
    programs: Mapping[str, BpfProgram]
    structs: Mapping[str, Struct]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._handle: CData | None
        self._handle = handle = self._load()
        lock = threading.RLock()
        self.structs = MappingProxyType(read_structs(lib.bpf_object__btf(handle)))
        self.maps = MappingProxyType(
            {map_.name: map_ for map_ in map(BpfMap, each(lib.bpf_object__next_map, handle))}
        )
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

    def _load(self) -> CData:
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
        result = lib.bpf_object__load(handle)
        if result < 0:
            doing = f"loading {self.path} into the kernel"
            ringbufs = any(
                lib.bpf_map__type(map_) == lib.BPF_MAP_TYPE_USER_RINGBUF
                for map_ in each(lib.bpf_object__next_map, handle)
            )
            error = log.failure(-result, doing, LoadError)
            del handle  # now, and not with the traceback
            if ringbufs and isinstance(error, LoadError):
                log.raise_if_kernel_too_old(doing, error)
            raise error
        log.take()
        return handle

    def close(self) -> None:
        """Closes the object, its maps and its programs. May be called again.

        What another thread is just running goes on, and keeps what it needs until it ends; rings
        and links stay open.
        """
        # No lock: a signal handler may close the object while this very thread closes it.
        for map_ in self.maps.values():
            map_._close()
        for program in self.programs.values():
            program._close()
        self._handle = None

    def __del__(self) -> None:
        if getattr(self, "programs", None) is not None:
            self.close()

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


def each(next_: Callable[[CData, CData], CData], handle: CData) -> Iterator[CData]:
    """Iterates in libbpf's way: from NULL to NULL."""
    item = next_(handle, ffi.NULL)
    while item != ffi.NULL:
        yield item
        item = next_(handle, item)

"""Maps: of a loaded BPF object, by file descriptor, or pinned."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from userrb import log
from userrb._libbpf import ffi, lib
from userrb.descriptor import Descriptor, Unique
from userrb.errors import BpfError, ObjectClosed, PinExists, WrongMapType

if TYPE_CHECKING:
    from userrb._libbpf import CData


class BpfMap(Unique):
    """A map of a loaded `BpfObject`. May be used from several threads.

    Attributes:
        name: As in the BPF program's source.
        type: The kernel's name of the type, for example ``"user_ringbuf"``.
        max_entries: Entries; for a ring buffer, its size in bytes.
    """

    __slots__ = ("_descriptor", "max_entries", "name", "type")

    def __init__(self, handle: CData) -> None:
        self._descriptor: Descriptor | None = Descriptor(lib.bpf_map__fd(handle))
        self.name = ffi.string(lib.bpf_map__name(handle)).decode()
        self.type = type_name(lib.bpf_map__type(handle))
        self.max_entries = int(lib.bpf_map__max_entries(handle))

    def __repr__(self) -> str:
        return f"<userrb.BpfMap {self.name!r}, {self.type}, max_entries={self.max_entries}>"

    def fileno(self) -> int:
        """Returns the map's file descriptor, valid until the object is closed.

        Raises:
            ObjectClosed: The object is closed.
        """
        return self._open().number

    def lookup(self, key: bytes) -> bytes | None:
        """Returns the value of a key; None where the map has no such key.

        For what a BPF program counts or answers in an array or a hash. A per-CPU map answers with
        the values of all processors, one after the other, each padded to 8 bytes.

        Args:
            key: Exactly the key's bytes.

        Raises:
            ValueError: The key has another size.
            BpfError: The kernel refused: a ring buffer, for one, has no keys (`ENOTSUPP`, 524).
            ObjectClosed: The object is closed.

        Source: `bpf_map_lookup_elem` of libbpf.
        """
        descriptor = self._open()
        info = ffi.new("struct bpf_map_info *")
        lib.userrb_map_info(descriptor.number, info)
        if len(key) != info.key_size:
            raise ValueError(
                f"a key of map {self.name!r} has {info.key_size} bytes, not {len(key)}"
            )
        size = info.value_size
        if self.type.startswith("percpu") or self.type.endswith("percpu_hash"):
            size = (size + 7) // 8 * 8 * lib.libbpf_num_possible_cpus()
        value = ffi.new("char[]", size)
        if lib.bpf_map_lookup_elem(descriptor.number, ffi.from_buffer(key), value) == 0:
            return bytes(ffi.buffer(value))
        if ffi.errno == errno.ENOENT:
            return None
        raise log.failure(ffi.errno, f"looking up a key of map {self.name!r} ({self.type})")

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Pins the map: it lives, and can be opened by its path, until the path is unlinked.

        Args:
            path: A path on a BPF file system, usually below `/sys/fs/bpf`, where nothing is yet.
                `os.unlink` removes it.

        Raises:
            FileExistsError: Something is at this path.
            BpfError: The path is not on a BPF file system (`EPERM`, `EINVAL`), and so on.
            ObjectClosed: The object is closed.

        Source: `bpf_obj_pin` of libbpf.
        """
        descriptor = self._open()
        if lib.bpf_obj_pin(descriptor.number, encode(path)) < 0:
            if ffi.errno == errno.EEXIST:
                raise PinExists(errno.EEXIST, f"pinning map {self.name!r}: {path} exists")
            raise log.failure(ffi.errno, f"pinning map {self.name!r} at {os.fspath(path)}")

    def _open(self) -> Descriptor:
        if self._descriptor is None:
            raise ObjectClosed(f"the BPF object of map {self.name!r} is closed")
        return self._descriptor

    def _close(self) -> None:
        self._descriptor = None


def encode(path: str | os.PathLike[str]) -> bytes:
    """Returns a path for C.

    Raises:
        ValueError: It has a null byte, at which C would end it.
    """
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError(f"embedded null byte in path {os.fspath(path)!r}")
    return encoded


def type_name(number: int) -> str:
    """Returns the kernel's name of a map type."""
    text = lib.libbpf_bpf_map_type_str(number)
    return ffi.string(text).decode() if text != ffi.NULL else f"type {number}"


def require_user_ringbuf(fd: int) -> None:
    """Raises unless the descriptor is a user ring buffer's.

    Raises:
        BpfError: `EBADF`; or the descriptor is not a map's.
        WrongMapType: It is a map of another type.
    """
    try:
        os.fstat(fd)  # libbpf would call a bad descriptor EBADFD, and say so on standard error
    except OSError as error:
        raise BpfError(error.errno, f"{fd} is not an open file descriptor") from None
    info = ffi.new("struct bpf_map_info *")
    if not is_map(fd) or lib.userrb_map_info(fd, info) < 0:
        raise WrongMapType(errno.EINVAL, f"file descriptor {fd} is not a BPF map")
    if info.type != lib.BPF_MAP_TYPE_USER_RINGBUF:
        raise WrongMapType(
            errno.EINVAL,
            f"file descriptor {fd} is a map of type {type_name(info.type)}, "
            "not a user_ringbuf (BPF_MAP_TYPE_USER_RINGBUF)",
        )


def is_map(fd: int) -> bool:
    """Tells whether the descriptor is a map's.

    The kernel's object information does not: a map of type 31 and a program of type 31 (syscall)
    begin with the same number.
    """
    try:
        # Not pathlib's, which takes longer to import than userrb.
        return os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:bpf-map"  # noqa: PTH115
    except OSError:
        return True  # no /proc: opening the ring maps the memory, which fails on anything else


def get_pinned(path: str | os.PathLike[str]) -> int:
    """Opens a pinned map; the caller closes the descriptor.

    Raises:
        ObjectNotFound: Nothing is pinned at this path.
        NotPermitted: The process may not open it.
        BpfError: The path is not on a BPF file system (`EINVAL`), and so on.
    """
    fd = lib.bpf_obj_get(encode(path))
    if fd < 0:
        raise log.failure(ffi.errno, f"opening the pinned map {os.fspath(path)}")
    return int(fd)

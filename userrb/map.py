"""Maps: of a loaded BPF object, by file descriptor, or pinned."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from userrb import log
from userrb._libbpf import ffi, lib
from userrb.descriptor import Descriptor, Unique
from userrb.entries import Codec, PerCpu
from userrb.errors import BpfError, ObjectClosed, PinExists, WrongMapType
from userrb.layout import Field

if TYPE_CHECKING:
    from userrb._libbpf import CData
    from userrb.btf import Reader


PER_CPU = frozenset({"percpu_array", "percpu_hash", "lru_percpu_hash", "percpu_cgroup_storage"})

ARRAY_KEY = Field("key", 0, 4, "I")
"""What the key of an array is, also where the BTF does not say so."""


class BpfMap(Unique):
    """A map of a loaded `BpfObject`. Use it like a dict: `map[key]`, `in`, `del`, iteration, `len`.

    Keys and values have the types in the map's BTF (`__type(key, __u32)` in the source): numbers,
    `bytes` for char arrays, and `Fields` for structs, which you write as a dict. You may always
    pass bytes of the right size; without BTF, all keys and values are bytes. A value that you read
    is a copy, which you cannot change. A per-CPU map has a tuple of values, one for each processor.

    May be used from several threads. A map keeps working if you drop its object, but not if you
    close it.

    Attributes:
        name: As in the BPF program's source.
        type: The kernel's name of the type, for example ``"user_ringbuf"``.
        max_entries: The largest number of entries; for a ring buffer, its size in bytes.

    Raises:
        KeyError: The map has no such key.
        ValueError: A key or value does not fit.
        TypeError: A key or value is of another type.
        BpfError: The kernel refused: for example `E2BIG` for a full hash or a key beyond an array,
            `EINVAL` for deleting from an array, `ENOTSUPP` (524) for a ring buffer, which has no
            keys.
        ObjectClosed: The object is closed.

    Example:
        ```python
        import userrb

        with userrb.BpfObject("drain.bpf.o") as bpf:
            other = bpf.maps["other"]  # an array of one __u64
            other[0] = 42
            assert other[0] == 42
            assert 1 not in other
            assert dict(other.items()) == {0: 42}
            assert other.lookup(0) == (42).to_bytes(8, "little")
        ```
    """

    __slots__ = ("_descriptor", "_key", "_value", "max_entries", "name", "type")

    def __init__(self, handle: CData) -> None:
        self._descriptor: Descriptor | None = Descriptor(lib.bpf_map__fd(handle))
        self.name = ffi.string(lib.bpf_map__name(handle)).decode()
        self.type = type_name(lib.bpf_map__type(handle))
        self.max_entries = int(lib.bpf_map__max_entries(handle))
        self._set_types(handle, None)

    def _set_types(self, handle: CData, reader: Reader | None) -> None:
        """Set what keys and values are: as the BTF says, or bytes."""
        key = value = None
        key_size, size = int(lib.bpf_map__key_size(handle)), int(lib.bpf_map__value_size(handle))
        if reader:
            key = reader.value("key", lib.bpf_map__btf_key_type_id(handle), key_size)
            value = reader.value("value", lib.bpf_map__btf_value_type_id(handle), size)
        if key is None and self._is_array and key_size == ARRAY_KEY.size:
            key = ARRAY_KEY
        self._key = Codec(f"a key of map {self.name!r}", key_size, key)
        codec = Codec(f"a value of map {self.name!r}", size, value)
        self._value: Codec | PerCpu = codec
        if self.type in PER_CPU:
            self._value = PerCpu(codec, int(lib.libbpf_num_possible_cpus()))

    def __repr__(self) -> str:
        return f"<userrb.BpfMap {self.name!r}, {self.type}, max_entries={self.max_entries}>"

    @property
    def _is_array(self) -> bool:
        return self.type.removeprefix("percpu_") == "array" or self.type.endswith("_array")

    def fileno(self) -> int:
        """Return the map's file descriptor, valid until the object is closed.

        Raises:
            ObjectClosed: The object is closed.
        """
        return self._open().number

    def lookup(self, key: Any) -> bytes | None:  # noqa: ANN401 - a key may be anything
        """Return the bytes of a key's value, or None if the map has no such key.

        For a per-CPU map, these are the values of all processors in a row, each padded to 8 bytes.
        `map[key]` returns the value itself instead of its bytes.

        Args:
            key: A key of the type in the BTF, or its bytes.

        Raises:
            ValueError: The key has another size.
            BpfError: The kernel refused: a ring buffer, for example, has no keys (`ENOTSUPP`, 524).
            ObjectClosed: The object is closed.

        Source: `bpf_map_lookup_elem` of libbpf.
        """
        descriptor = self._open()
        value = ffi.new("char[]", self._value.size)
        if lib.bpf_map_lookup_elem(descriptor.number, pointer(self._key.encode(key)), value) == 0:
            return bytes(ffi.buffer(value))
        if ffi.errno == errno.ENOENT:
            return None
        raise self._failure(ffi.errno, "looking up a key")

    def update(self, key: Any, value: Any, flags: int = 0) -> None:  # noqa: ANN401 - as above
        """Set a key's value, as `map[key] = value` does.

        Args:
            key: A key of the type in the BTF, or its bytes. Queues, stacks and bloom filters have
                no keys: pass `b""`.
            value: A value of the type in the BTF, or its bytes.
            flags: 0 always sets the value, 1 (`BPF_NOEXIST`) only if the map has no such key, 2
                (`BPF_EXIST`) only if it has.

        Raises:
            KeyError: With `BPF_EXIST`: the map has no such key.
            BpfError: The kernel refused: for example `EEXIST` with `BPF_NOEXIST`.
            ObjectClosed: The object is closed.

        Source: `bpf_map_update_elem` of libbpf.
        """
        descriptor = self._open()
        encoded, content = pointer(self._key.encode(key)), self._value.encode(value)
        if lib.bpf_map_update_elem(descriptor.number, encoded, content, flags) < 0:
            if ffi.errno == errno.ENOENT:
                raise KeyError(key)
            raise self._failure(ffi.errno, "updating a key")

    def delete(self, key: Any) -> bool:  # noqa: ANN401 - as above
        """Delete a key, as `del map[key]` does; return False if the map had no such key.

        Args:
            key: A key of the type in the BTF, or its bytes.

        Raises:
            BpfError: The kernel refused: `EINVAL` for an array, whose keys cannot be deleted.
            ObjectClosed: The object is closed.

        Source: `bpf_map_delete_elem` of libbpf.
        """
        descriptor = self._open()
        if lib.bpf_map_delete_elem(descriptor.number, pointer(self._key.encode(key))) == 0:
            return True
        if ffi.errno == errno.ENOENT:
            return False
        raise self._failure(ffi.errno, "deleting a key")

    def get(self, key: Any, default: Any = None) -> Any:  # noqa: ANN401 - as above
        """Return a key's value, or the default if the map has no such key."""
        value = self.lookup(key)
        return default if value is None else self._value.decode(value)

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - as above
        value = self.lookup(key)
        if value is None:
            raise KeyError(key)
        return self._value.decode(value)

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401 - as above
        self.update(key, value)

    def __delitem__(self, key: Any) -> None:  # noqa: ANN401 - as above
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key: Any) -> bool:  # noqa: ANN401 - as above
        return self.lookup(key) is not None

    def __bool__(self) -> bool:
        return True  # and does not count

    def __len__(self) -> int:
        """Count the keys; of an array without asking the kernel."""
        self._open()
        return self.max_entries if self._is_array else sum(1 for _ in self._raw_keys())

    def __iter__(self) -> Iterator[Any]:
        return self.keys()

    def keys(self) -> Iterator[Any]:
        """Iterate over the keys, in the kernel's order.

        You may delete keys while you iterate. Each key comes once. A key that is added during the
        iteration may be missing.

        Raises:
            BpfError: The map has no keys.
            ObjectClosed: The object is closed.

        Source: `bpf_map_get_next_key` of libbpf.
        """
        return (self._key.decode(key) for key in self._raw_keys())

    def values(self) -> Iterator[Any]:
        """Iterate over the values, as `keys` does over the keys."""
        return (value for _, value in self.items())

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Iterate over keys and values, as `keys` does, without keys that were just deleted."""
        for key in self._raw_keys():
            value = self.lookup(key)
            if value is not None:
                yield self._key.decode(key), self._value.decode(value)

    def _raw_keys(self) -> Iterator[bytes]:
        """Yield each key once, the next one being asked for before: the loop may delete its own.

        After a key that is gone the kernel begins again with the first.
        """
        seen: set[bytes] = set()
        key = self._next_key(None)
        while key is not None:
            following = self._next_key(key)
            if key not in seen:
                seen.add(key)
                yield key
            key = following

    def _next_key(self, key: bytes | None) -> bytes | None:
        descriptor = self._open()
        following = ffi.new("char[]", self._key.size)
        before = ffi.NULL if key is None else key
        if lib.bpf_map_get_next_key(descriptor.number, before, following) == 0:
            return bytes(ffi.buffer(following))
        if ffi.errno == errno.ENOENT:
            return None
        raise self._failure(ffi.errno, "looking for a key")

    def _failure(self, number: int, doing: str) -> BpfError:
        return log.failure(number, f"{doing} of map {self.name!r} ({self.type})")

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Pin the map to a path: it stays, and can be opened there, until you remove the path.

        Args:
            path: A new path on a BPF file system, usually below `/sys/fs/bpf`. `os.unlink` removes
                it.

        Raises:
            PinExists: The path exists already. It is a `FileExistsError`.
            BpfError: For example, the path is not on a BPF file system (`EPERM`, `EINVAL`).
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


def pointer(key: bytes) -> bytes | CData:
    """Return a key for C: none of a map that has no keys."""
    return key or ffi.NULL


def encode(path: str | os.PathLike[str]) -> bytes:
    """Return a path for C.

    Raises:
        ValueError: It has a null byte, at which C would end it.
    """
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError(f"embedded null byte in path {os.fspath(path)!r}")
    return encoded


def type_name(number: int) -> str:
    """Return the kernel's name of a map type."""
    text = lib.libbpf_bpf_map_type_str(number)
    return ffi.string(text).decode() if text != ffi.NULL else f"type {number}"


def require_user_ringbuf(fd: int) -> None:
    """Raise unless the descriptor is a user ring buffer's: as `require_type` does."""
    require_type(fd, lib.BPF_MAP_TYPE_USER_RINGBUF, "BPF_MAP_TYPE_USER_RINGBUF")


def require_type(fd: int, number: int, name: str) -> int:
    """Return a map's `max_entries`; raise unless the descriptor is a map's of this type.

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
    if info.type != number:
        raise WrongMapType(
            errno.EINVAL,
            f"file descriptor {fd} is a map of type {type_name(info.type)}, "
            f"not a {type_name(number)} ({name})",
        )
    return int(info.max_entries)


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
    """Open a pinned map; the caller closes the descriptor.

    Raises:
        ObjectNotFound: Nothing is pinned at this path.
        NotPermitted: The process may not open it.
        BpfError: The path is not on a BPF file system (`EINVAL`), and so on.
    """
    fd = lib.bpf_obj_get(encode(path))
    if fd < 0:
        raise log.failure(ffi.errno, f"opening the pinned map {os.fspath(path)}")
    return int(fd)

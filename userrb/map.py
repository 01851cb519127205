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
    """A map of a loaded `BpfObject`, used as a dict is: `map[key]`, `in`, `del`, iteration, `len`.

    Keys and values are what the map's BTF says (`__type(key, __u32)` in the source): numbers,
    `bytes` for char arrays, and for structs `Fields`; to write one, a dict. Bytes of the right size
    are always accepted; without BTF there are only bytes. A value that was read is a copy and
    cannot be changed: write it back. A per-CPU map has a tuple of values, one for each processor.

    May be used from several threads. A map that was taken from an object works on when the object
    is dropped, but not when it is closed.

    Attributes:
        name: As in the BPF program's source.
        type: The kernel's name of the type, for example ``"user_ringbuf"``.
        max_entries: Entries; for a ring buffer, its size in bytes.

    Raises:
        KeyError: The map has no such key.
        ValueError: A key or value does not fit.
        TypeError: A key or value is of another type.
        BpfError: The kernel refused, for example `E2BIG` for a full hash or a key beyond an array,
            `EINVAL` to delete from an array, and `ENOTSUPP` (524) for a ring buffer, which has no
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
        """Return the bytes of a key's value; None where the map has no such key.

        A per-CPU map answers with the values of all processors, one after the other, each padded to
        8 bytes. `map[key]` returns the value itself.

        Args:
            key: As the class says: what the BTF says, or exactly the key's bytes.

        Raises:
            ValueError: The key has another size.
            BpfError: The kernel refused: a ring buffer, for one, has no keys (`ENOTSUPP`, 524).
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
            key: As the class says. A queue, a stack and a bloom filter have none: `b""`.
            value: As the class says.
            flags: 0 to set it in any case, 1 (`BPF_NOEXIST`) only where the map has no such key,
                2 (`BPF_EXIST`) only where it has.

        Raises:
            KeyError: `BPF_EXIST`, and there is no such key.
            BpfError: The kernel refused: `EEXIST` with `BPF_NOEXIST`, and so on.
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
        """Delete a key, as `del map[key]` does; return False where there was none.

        Args:
            key: As the class says.

        Raises:
            BpfError: The kernel refused: `EINVAL` for an array, whose keys stay.
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
        """Return a key's value; the default where the map has no such key."""
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

        Keys may be deleted meanwhile, by the loop too. Each key comes once; one that is added
        meanwhile may be left out.

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
        """Iterate over keys and values, as `keys` does; a key that is gone by then is left out."""
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

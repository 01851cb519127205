"""libbpf's functions for ctypes, also where its headers are not: in a guest."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

_POINTERS = frozenset(
    (
        "bpf_map__name",
        "bpf_object__btf",
        "bpf_object__find_map_by_name",
        "bpf_object__find_program_by_name",
        "bpf_object__name",
        "bpf_object__next_program",
        "bpf_object__open_file",
        "bpf_program__attach_iter",
        "bpf_program__name",
        "bpf_program__section_name",
        "btf__load_vmlinux_btf",
        "btf__name_by_offset",
        "btf__type_by_id",
        "libbpf_bpf_prog_type_str",
        "libbpf_set_print",
        "perf_buffer__new",
        "perf_buffer__new_raw",
        "ring_buffer__new",
    )
)
"""The functions that return a pointer: an address, or None for NULL. Others return a number."""

_NUMBERS: dict[str, type[ctypes._SimpleCData[Any]]] = {
    "bpf_program__autoload": ctypes.c_bool,
    "btf__resolve_size": ctypes.c_int64,
    "libbpf_get_error": ctypes.c_long,
}
"""What those return whose number is not an int."""


class Native:
    """The library: `native.ring_buffer__poll(ring, 0)` calls that function.

    A number is passed as 64 bits, which is right for every type of number and for an address.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libbpf.so.1", use_errno=True)

    @cache  # noqa: B019 - there is one, for good
    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a function, of any type
        function = self._library[name]
        number = _NUMBERS.get(name, ctypes.c_int)
        function.restype = ctypes.c_void_p if name in _POINTERS else number

        def call(*arguments: object) -> object:
            wide = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
            return function(*wide)

        return call


def failed(result: object) -> int:
    """Return errno after a call that failed: with NULL, or with the same number, negative."""
    number = ctypes.get_errno()
    assert result in (None, -number), f"returned {result!r}, with errno {number}"
    return number


native = Native()

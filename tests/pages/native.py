"""libbpf's functions for ctypes, each with the types that the header declares."""

from __future__ import annotations

import ctypes
import re
from functools import cache
from typing import Any

from facts.libbpf import header

_TYPES = {
    "void": None,
    "bool": ctypes.c_bool,
    "long": ctypes.c_long,
    "size_t": ctypes.c_size_t,
    "__u32": ctypes.c_uint32,
    "__u64": ctypes.c_uint64,
    "__s32": ctypes.c_int32,
}


@cache
def _headers() -> str:
    return "".join(header(file) for file in ("libbpf.h", "libbpf_legacy.h", "bpf.h", "btf.h"))


class Native:
    """The library: `native.ring_buffer__poll` is that function. `errno` tells what went wrong."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libbpf.so.1", use_errno=True)

    @cache  # noqa: B019 - there is one, for good
    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a function, of any type
        declared = re.search(rf"LIBBPF_API ([^;()]*)\b{name}\(([^;]*)\);", _headers())
        assert declared, f"no header declares {name}"
        function = getattr(self._library, name)
        function.restype = _type(f"{declared[1]} result")
        parts = declared[2].split(",")
        function.argtypes = [_type(part) for part in parts if part.strip() != "void"]
        return function


def _type(declaration: str) -> type[ctypes._SimpleCData[Any]] | None:
    words = re.findall(r"\w+", declaration)[:-1]
    if "*" in declaration or words[-1].endswith("_fn") or words[-1].endswith("_fn_t"):
        return ctypes.c_void_p
    return _TYPES.get(words[-1], ctypes.c_int)


def failed(result: object) -> int:
    """Return errno after a call that failed: with NULL, or with the same number, negative."""
    number = ctypes.get_errno()
    assert result in (None, -number), f"returned {result!r}, with errno {number}"
    return number


native = Native()

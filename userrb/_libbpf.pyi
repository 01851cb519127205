"""What cffi builds from `_libbpf_build.py`; its objects have no static types."""

from typing import Any, TypeAlias

CData: TypeAlias = Any

ffi: Any
lib: Any

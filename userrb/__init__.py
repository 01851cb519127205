"""The BPF user ring buffer for Python: samples from user space to a BPF program in the kernel."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from userrb._core import Sample
from userrb._libbpf import ffi as _ffi
from userrb._libbpf import lib as _lib
from userrb.batch import Batch
from userrb.consumer import RingBuffer
from userrb.errors import (
    BadTimeout,
    BpfError,
    Error,
    KernelTooOld,
    LoadError,
    NotPermitted,
    ObjectClosed,
    ObjectNotFound,
    PinExists,
    RingClosed,
    RingFull,
    RingTimeout,
    SampleError,
    SampleLost,
    SampleTooLarge,
    WrongMapType,
)
from userrb.fields import Fields
from userrb.globals import Globals
from userrb.layout import Field, Struct
from userrb.link import BpfLink
from userrb.map import BpfMap
from userrb.object import BpfObject
from userrb.program import BpfProgram, TestRun
from userrb.ring import UserRingBuffer

if _TYPE_CHECKING:
    __version__: str

LIBBPF_VERSION: str = _ffi.string(_lib.libbpf_version_string()).decode().removeprefix("v")
"""The version of the libbpf in use, for example ``"1.1"``."""

__all__ = [
    "LIBBPF_VERSION",
    "BadTimeout",
    "Batch",
    "BpfError",
    "BpfLink",
    "BpfMap",
    "BpfObject",
    "BpfProgram",
    "Error",
    "Field",
    "Fields",
    "Globals",
    "KernelTooOld",
    "LoadError",
    "NotPermitted",
    "ObjectClosed",
    "ObjectNotFound",
    "PinExists",
    "RingBuffer",
    "RingClosed",
    "RingFull",
    "RingTimeout",
    "Sample",
    "SampleError",
    "SampleLost",
    "SampleTooLarge",
    "Struct",
    "TestRun",
    "UserRingBuffer",
    "WrongMapType",
]


def __getattr__(name: str) -> str:
    # What reads a package's metadata takes longer to import than all of userrb.
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("userrb")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

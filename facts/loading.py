"""Program to log: load a program of a type that calls a helper, and keep what the verifier says."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

_LOG_SIZE = 1 << 16
_EXIT = (0xB7, 0x95)
"""`r0 = 0`, `exit`."""
_CALL = 0x85
_STRUCT = 4
"""BTF_KIND_STRUCT."""


@dataclass(frozen=True)
class Kind:
    """How to make a program of a type.

    Attributes:
        type: The type's number.
        attach_type: The number of the attach type that belongs to it.
        hook: The kernel's function (or what the attach type has in its place) to attach to.
        member: The number of the hook among the functions of the structure of this name, `hook`.
        sleepable: Whether it may sleep.
        needs: What the kernel must be built with, in words for those who read that it is not.
    """

    type: int
    attach_type: int = 0
    hook: str = ""
    member: str = ""
    sleepable: bool = False
    needs: str = ""


class _Options(ctypes.Structure):
    """`struct bpf_prog_load_opts` of libbpf 1.1, which later versions take as well."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_uint32),
        ("prog_btf_fd", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_ifindex", ctypes.c_uint32),
        ("kern_version", ctypes.c_uint32),
        ("attach_btf_id", ctypes.c_uint32),
        ("attach_prog_fd", ctypes.c_uint32),
        ("attach_btf_obj_fd", ctypes.c_uint32),
        ("fd_array", ctypes.c_void_p),
        ("func_info", ctypes.c_void_p),
        ("func_info_cnt", ctypes.c_uint32),
        ("func_info_rec_size", ctypes.c_uint32),
        ("line_info", ctypes.c_void_p),
        ("line_info_cnt", ctypes.c_uint32),
        ("line_info_rec_size", ctypes.c_uint32),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_void_p),
    )


def load(kind: Kind, helper: int | None = None) -> tuple[int, str]:
    """Load a program that calls a helper, without any arguments, and returns.

    The verifier looks first whether the type may call it, and only then at arguments.

    Args:
        kind: How to make it.
        helper: The helper's number; None for a program that does nothing, the control.

    Returns:
        0 or the errno, and the verifier's log.
    """
    libbpf = _libbpf()
    log = ctypes.create_string_buffer(_LOG_SIZE)
    options = _Options(
        sz=ctypes.sizeof(_Options),
        expected_attach_type=kind.attach_type,
        prog_flags=1 << 4 if kind.sleepable else 0,
        log_level=1,
        log_size=_LOG_SIZE,
        log_buf=ctypes.addressof(log),
    )
    if kind.member:
        options.attach_btf_id, options.expected_attach_type = _member(kind.hook, kind.member)
    elif kind.hook:
        found = libbpf.libbpf_find_vmlinux_btf_id(kind.hook.encode(), kind.attach_type)
        if found < 0:
            return -found, f"the kernel has no {kind.hook}"
        options.attach_btf_id = found
    call = () if helper is None else (_CALL | helper << 32,)
    words = (*call, *_EXIT)
    program = (ctypes.c_uint64 * len(words))(*words)
    fd = libbpf.bpf_prog_load(
        kind.type, b"facts", b"GPL", program, len(words), ctypes.byref(options)
    )
    if fd >= 0:
        ctypes.CDLL(None).close(fd)
        return 0, ""
    return -fd, log.value.decode(errors="replace")


@cache
def _libbpf() -> ctypes.CDLL:
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    library.btf__load_vmlinux_btf.restype = ctypes.c_void_p
    library.btf__type_by_id.restype = ctypes.POINTER(ctypes.c_uint32)
    library.btf__name_by_offset.restype = ctypes.c_char_p
    library.libbpf_set_print(None)
    return library


def _member(structure: str, member: str) -> tuple[int, int]:
    """Return the id of a structure of the kernel's, and the number of one of its members."""
    libbpf = _libbpf()
    btf = ctypes.c_void_p(libbpf.btf__load_vmlinux_btf())
    number = libbpf.btf__find_by_name_kind(btf, structure.encode(), _STRUCT)
    if number < 0:
        return 0, 0
    # struct btf_type is three words, and each struct btf_member behind it as well.
    words = libbpf.btf__type_by_id(btf, number)
    names = [libbpf.btf__name_by_offset(btf, words[3 + 3 * n]) for n in range(words[1] & 0xFFFF)]
    libbpf.btf__free(btf)
    return number, names.index(member.encode())

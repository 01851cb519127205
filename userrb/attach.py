"""Attaching a program: to what its section names, or to a target that is named by the caller."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from userrb import log
from userrb._libbpf import ffi, lib
from userrb.descriptor import Descriptor
from userrb.errors import BpfError, ObjectNotFound
from userrb.link import TcFilter, of_libbpf
from userrb.map import encode

if TYPE_CHECKING:
    from userrb._libbpf import CData

EVENTS = ("/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events")
"""Where tracepoints are found by name."""

attach_tcx = lib.userrb_attach_tcx

KPROBES = "/sys/bus/event_source/devices/kprobe"
"""Where a kernel shows that it has kprobes."""

NO_TCX = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a kernel without tcx says of a program that is to be attached there."""


class Named(Protocol):
    """A program, as messages need it."""

    name: str
    type: str


def attach(
    program: Named, handle: CData, fd: int, given: Mapping[str, Any], *, egress: bool
) -> object:
    """Attach a program; return what detaches it when nobody refers to it any more.

    Args:
        program: Its name and type, for messages.
        handle: libbpf's program.
        fd: Its descriptor.
        given: The target by its kind; empty for what the section names.
        egress: Whether a tc program is for packets that leave.
    """
    words = f"attaching program {program.name!r} (type {program.type})"
    if not given:
        return to_section(handle, words)
    ((kind, target),) = given.items()
    words += f" to {kind} {os.fspath(target) if kind == 'cgroup' else target!r}"
    if kind == "tracepoint":
        return to_tracepoint(program, handle, target, words)
    if kind in ("kprobe", "kretprobe"):
        return to_kprobe(
            lambda: lib.bpf_program__attach_kprobe(handle, kind == "kretprobe", encode(target)),
            words,
        )
    if kind == "cgroup":
        return to_cgroup(handle, target, words)
    index = find_interface(target, words)
    if program.type == "xdp":
        return link(words, lambda: lib.bpf_program__attach_xdp(handle, index))
    if program.type == "sched_cls":
        return to_tc(fd, index, egress, words)
    raise BpfError(errno.EINVAL, f"{words}: only xdp and tc programs attach to an interface")


def link(words: str, call: Callable[[], CData]) -> CData:
    """Return the link that a call of libbpf's makes."""
    made = call()
    number = ffi.errno
    if made == ffi.NULL:
        raise log.failure(number, words)
    return of_libbpf(made)


def to_section(handle: CData, words: str) -> CData:
    """Attaches to what the section names."""
    section = ffi.string(lib.bpf_program__section_name(handle)).decode()
    if section.startswith(("kprobe/", "kretprobe/")):
        return to_kprobe(lambda: lib.bpf_program__attach(handle), f"{words} to {section}")
    if section.startswith(("tp/", "tracepoint/")):
        words = tracefs_hint(words)
    return link(words, lambda: lib.bpf_program__attach(handle))


def to_tracepoint(program: Named, handle: CData, target: str, words: str) -> CData:
    """Attaches to a tracepoint: category and name, or only the name of a raw one."""
    category, slash, name = target.rpartition("/")
    if program.type.startswith("raw_tracepoint"):
        event = encode(name)
        return link(words, lambda: lib.bpf_program__attach_raw_tracepoint(handle, event))
    if not slash:
        raise BpfError(errno.EINVAL, f"{words}: it needs a category, as in 'sched/sched_switch'")
    words = tracefs_hint(words)
    return link(
        words,
        lambda: lib.bpf_program__attach_tracepoint(handle, encode(category), encode(name)),
    )


def tracefs_hint(words: str) -> str:
    """Add what to do where tracepoints cannot be found by name."""
    if not any(map(os.path.exists, EVENTS)):
        words += " (first: mount -t tracefs tracefs /sys/kernel/tracing)"
    return words


def to_kprobe(call: Callable[[], CData], words: str) -> CData:
    """Attaches to a function of the kernel's."""
    try:
        return link(words, call)
    except BpfError as error:
        if os.path.exists(KPROBES):  # noqa: PTH110 - pathlib takes longer to import than userrb
            raise
        missing = BpfError(
            errno.EOPNOTSUPP, f"{words}: this kernel has no kprobes (CONFIG_KPROBES)"
        )
        log.add(missing, error.log)
        raise missing from None


def to_cgroup(handle: CData, target: str | os.PathLike[str], words: str) -> CData:
    """Attaches to a cgroup; the kernel keeps it from then on."""
    try:
        fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ObjectNotFound(error.errno, f"{words}: {error.strerror}") from None
    except OSError as error:
        raise BpfError(error.errno, f"{words}: {error.strerror}") from None
    folder = Descriptor.own(fd)
    try:
        return link(words, lambda: lib.bpf_program__attach_cgroup(handle, folder.number))
    except BpfError as error:
        if error.errno != errno.EBADF:
            raise
        raise BpfError(errno.EBADF, f"{words}: not the folder of a cgroup of version 2") from None


def to_tc(fd: int, index: int, egress: bool, words: str) -> object:
    """Attaches to tcx; where the kernel has none, to the clsact queueing discipline."""
    made = attach_tcx(fd, index, egress)
    if made >= 0:
        return Descriptor.own(made)
    number = -made
    if number in NO_TCX:
        log.take()
        try:
            return TcFilter(fd, index, egress)
        except OSError as error:
            number = error.errno or errno.EINVAL
            if number == errno.ENOENT:
                words += " (this kernel has no tcx, and lacks the module sch_ingress for clsact)"
    raise log.failure(number, words)


def find_interface(target: str | int, words: str) -> int:
    """Return the index of a network interface."""
    if isinstance(target, int):
        return target
    import socket  # noqa: PLC0415 - only who names an interface needs it

    try:
        return socket.if_nametoindex(target)
    except OSError:
        raise ObjectNotFound(errno.ENODEV, f"{words}: there is no such interface") from None

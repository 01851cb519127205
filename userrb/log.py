"""libbpf's log: into the exception of the call that caused it, and to `logging`."""

from __future__ import annotations

import errno
import logging
import os
import re

from userrb._libbpf import ffi, lib
from userrb.errors import BpfError, KernelTooOld, NotPermitted, ObjectNotFound

logger = logging.getLogger("userrb.libbpf")
# Without a handler anywhere, logging would write warnings to standard error.
logging.getLogger("userrb").addHandler(logging.NullHandler())

LEVELS = {"0": logging.WARNING, "1": logging.INFO}
"""libbpf's levels, as `_libbpf_build.py` writes them before each message."""

MARK = re.compile(r"^[01](?=libbpf: )", re.MULTILINE)


def listen() -> None:
    """Has libbpf print to this module: another user of libbpf may have taken that over."""
    lib.userrb_log_start()


listen()


def take() -> str:
    """Return what libbpf printed in this thread since last asked, and passes it to `logging`."""
    text = lib.userrb_log_take()
    if text == ffi.NULL:
        return ""
    try:
        raw = ffi.string(text).decode(errors="replace")
    finally:
        lib.free(text)
    level = logging.WARNING
    for line in raw.splitlines():
        level = LEVELS[line[0]] if MARK.match(line) else level
        logger.log(level, "%s", MARK.sub("", line))
    return MARK.sub("", raw).rstrip("\n")


def reason(number: int) -> str:
    """Return the words for an errno of the kernel's or of libbpf's own."""
    buffer = ffi.new("char[128]")
    lib.libbpf_strerror(number, buffer, len(buffer))
    return str(ffi.string(buffer).decode(errors="replace"))


def failure(number: int, doing: str, kind: type[BpfError] = BpfError) -> BpfError:
    """Make the exception for a failed call of libbpf's, its log included.

    Args:
        number: The errno, positive.
        doing: What was being done, and to what.
        kind: The exception, unless errno has one of its own.
    """
    log = take()
    words = f"{doing}: {reason(number)}"
    if number in (errno.EPERM, errno.EACCES):
        # The verifier says EACCES too, but not without a log.
        if number == errno.EPERM or not log:
            kind = NotPermitted
            words += privilege_hint()
    elif number == errno.ENOENT and kind is BpfError:
        kind = ObjectNotFound
    error = kind(number, words)
    add(error, log)
    return error


def add(error: BpfError, log: str) -> None:
    """Put libbpf's log in an exception."""
    error.log = log
    if log:
        error.add_note(log)


def privilege_hint() -> str:
    """Return what to do about a missing privilege; nothing for root, who lacks something else."""
    if os.geteuid() == 0:
        return " (root, but without CAP_BPF: in a container, add it, or run privileged)"
    return " (run as root, or with CAP_BPF, and CAP_PERFMON for programs that trace)"


def raise_if_kernel_too_old(doing: str, cause: BpfError) -> None:
    """Raise KernelTooOld, with the log of its cause, where the kernel has no user ring buffer."""
    if lib.libbpf_probe_bpf_map_type(lib.BPF_MAP_TYPE_USER_RINGBUF, ffi.NULL) == 0:
        error = KernelTooOld(
            cause.errno,
            f"{doing}: Linux {os.uname().release} has no user ring buffer; it came with Linux 6.1",
        )
        error.log = cause.log
        raise error from cause

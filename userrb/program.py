"""Programs of a loaded BPF object, and running them once without an event."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from userrb import log
from userrb._libbpf import ffi, lib
from userrb.attach import attach
from userrb.descriptor import Descriptor, Unique
from userrb.errors import ObjectClosed
from userrb.link import BpfLink

DATA_OUT_ROOM = 256
"""Bytes by which a program may lengthen its packet in a test run."""

CTX_OUT_ROOM = 4096
"""Bytes by which the kernel's context may be longer than the one that it was given."""


if TYPE_CHECKING:
    from typing_extensions import Buffer

    from userrb._libbpf import CData


class TestRun(NamedTuple):
    """What a test run returned.

    Attributes:
        retval: The program's return value, as a signed C `int`.
        duration_ns: The mean time of a run in nanoseconds, if the program type reports it.
        data: The packet after the run, for program types that take one.
        ctx: The context after the run, if you passed one; a `syscall` program may answer in it. For
            programs that take a packet it is the kernel's whole context, even if you passed less.
    """

    retval: int
    duration_ns: int
    data: bytes
    ctx: bytes


class BpfProgram(Unique):
    """A program of a loaded `BpfObject`.

    Attributes:
        name: The function's name in the source.
        type: libbpf's name of the type, for example ``"syscall"``.
    """

    __slots__ = ("_descriptor", "_handle", "_lock", "_owner", "name", "type")

    def __init__(self, handle: CData, owner: CData, lock: threading.RLock) -> None:
        self._handle = handle
        self._owner: CData | None = owner  # of the handle: the object, open while this refers to it
        self._lock = lock  # the object's: held while libbpf's own structures are used
        self._descriptor: Descriptor | None = Descriptor(lib.bpf_program__fd(handle))
        self.name = ffi.string(lib.bpf_program__name(handle)).decode()
        self.type = ffi.string(lib.libbpf_bpf_prog_type_str(lib.bpf_program__type(handle))).decode()

    def __repr__(self) -> str:
        return f"<userrb.BpfProgram {self.name!r}, {self.type}>"

    def fileno(self) -> int:
        """Return the program's file descriptor, valid until the object is closed.

        Raises:
            ObjectClosed: The object is closed.
        """
        return self._open().number

    def test_run(self, *, data: Buffer = b"", ctx: Buffer = b"", repeat: int = 0) -> TestRun:
        """Run the program in the kernel now, without waiting for its event.

        The call releases the GIL. May be called from several threads, but only one run at a time
        can drain a ring: in the others, `bpf_user_ringbuf_drain` returns `-EBUSY`.

        Args:
            data: The packet, for types that take one (at least 14 bytes for xdp and tc): bytes or
                another buffer.
            ctx: The context, for types that take one (optional for `syscall`): bytes or another
                buffer.
            repeat: How often to run the program, for types that allow it; 0 means once.

        Raises:
            BpfError: The kernel refused: `EINVAL` if the type does not take these arguments,
                `ENOTSUPP` (524) if it has no test runs.
            NotPermitted: The process may not run the program.
            ObjectClosed: The object is closed.

        Source: `bpf_prog_test_run_opts` of libbpf.
        """
        program = self._open()
        options = ffi.new("struct bpf_test_run_opts *")
        # Bytes, which count themselves, where an array would count its items.
        packet, given = memoryview(data).tobytes(), memoryview(ctx).tobytes()
        # The structure holds addresses only: these names keep what they point to alive. The kernel
        # writes into the context, so it gets a copy.
        data_in = ffi.from_buffer(packet)
        data_out = ffi.new("char[]", len(packet) + DATA_OUT_ROOM) if packet else ffi.NULL
        context = ffi.new("char[]", len(given)) if given else ffi.NULL
        if packet:
            options.data_in, options.data_size_in = data_in, len(packet)
            options.data_out, options.data_size_out = data_out, len(data_out)
        if given:
            ffi.memmove(context, given, len(given))
            options.ctx_in, options.ctx_size_in = context, len(given)
        answer = context
        if packet and given:  # the kernel answers apart, with all of its context; else in place
            answer = ffi.new("char[]", len(given) + CTX_OUT_ROOM)
            options.ctx_out, options.ctx_size_out = answer, len(answer)
        options.repeat = repeat
        if lib.userrb_test_run(program.number, options) < 0:
            raise log.failure(ffi.errno, f"test run of program {self.name!r} (type {self.type})")
        return TestRun(
            retval=int(ffi.cast("int32_t", options.retval)),
            duration_ns=options.duration,
            data=ffi.buffer(data_out, options.data_size_out)[:] if packet else b"",
            ctx=ffi.buffer(answer, options.ctx_size_out or len(given))[:] if given else b"",
        )

    def attach(
        self,
        *,
        tracepoint: str | None = None,
        kprobe: str | None = None,
        kretprobe: str | None = None,
        interface: str | int | None = None,
        egress: bool = False,
        cgroup: str | os.PathLike[str] | None = None,
    ) -> BpfLink:
        """Attach the program to a target, or to the one that its section names.

        Sections such as `tp/sched/sched_switch`, `raw_tp/sched_switch` and `kprobe/do_exit` name a
        target. For others, pass one of these:

        Args:
            tracepoint: For `SEC("tp")`, category and name: `"sched/sched_switch"`. For
                `SEC("raw_tp")`, only the name: `"sched_switch"`.
            kprobe: A kernel function, for `SEC("kprobe")`.
            kretprobe: A kernel function at whose return to run, for `SEC("kretprobe")`.
            interface: A network interface by name or index, for `SEC("xdp")` and `SEC("tc")`. A tc
                program uses tcx if the kernel has it (Linux 6.6). On older kernels it becomes a
                filter of the interface's clsact queueing discipline. The discipline stays, and so
                does the filter if the process is killed.
            egress: Whether a tc program sees packets that leave the interface, rather than those
                that arrive.
            cgroup: The folder of a cgroup of version 2, for sections such as
                `SEC("cgroup_skb/egress")`.

        Returns:
            The link. The program runs on every event until you close or drop the link, even if you
            close the object.

        Raises:
            TypeError: There is more than one target, or `egress` for another type than tc.
            BpfError: The kernel refused: the program has another type (`EINVAL`), another program
                is attached (`EBUSY`, for xdp), the kernel has no kprobes, or there is no target
                (`EOPNOTSUPP`, also for `syscall` programs, which have none).
            ObjectNotFound: The tracepoint, function, interface or cgroup does not exist.
            ObjectClosed: The object is closed.

        Source: `bpf_program__attach` and `bpf_program__attach_*`, `bpf_link_create` for tcx,
        `bpf_tc_hook_create` and `bpf_tc_attach` of libbpf.
        """
        targets = {
            "tracepoint": tracepoint,
            "kprobe": kprobe,
            "kretprobe": kretprobe,
            "interface": interface,
            "cgroup": cgroup,
        }
        given = {kind: target for kind, target in targets.items() if target is not None}
        if len(given) > 1:
            raise TypeError(f"a program attaches to one target, not to {' and '.join(given)}")
        if egress and (interface is None or self.type != "sched_cls"):
            raise TypeError("egress is for tc programs on an interface")
        owner = self._owner  # stays open during the call, whoever closes it meanwhile
        descriptor = self._open()
        with self._lock:
            link = BpfLink(
                attach(self, self._handle, descriptor.number, given, egress=egress), self.name
            )
        del owner
        return link

    def _open(self) -> Descriptor:
        if self._descriptor is None:
            raise ObjectClosed(f"the BPF object of program {self.name!r} is closed")
        return self._descriptor

    def _close(self) -> None:
        self._descriptor = None
        self._owner = None

"""Programs attached to a target that the caller names, and what they see there."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import userrb
from userrb import attach
from userrb._libbpf import lib

KPROBES = Path("/sys/bus/event_source/devices/kprobe")


@pytest.fixture
def bpf(compile_bpf: Callable[[str], Path]) -> Iterator[userrb.BpfObject]:
    """tests/bpf/attach.bpf.c, loaded afresh."""
    with userrb.BpfObject(compile_bpf("attach")) as loaded:
        yield loaded


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """A file system that is mounted during the test, unless it was before."""
    subprocess.run(["mount", "-t", kind, kind, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def tracefs() -> Iterator[None]:
    """Tracepoints can be found by their names."""
    folder = Path("/sys/kernel/tracing")
    if (folder / "events").exists():
        yield
    else:
        with mounted("tracefs", folder):
            yield


def send() -> None:
    """Sends a datagram to this machine itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", receiver.getsockname())
        receiver.recv(16)


def sees(bpf: userrb.BpfObject, link: userrb.BpfLink, name: str, event: Callable[[], None]) -> None:
    """The program sees events while it is attached, and none after."""
    before = bpf.globals[name]
    with link:
        event()
        during = bpf.globals[name]
    event()
    assert before < during == bpf.globals[name]


def fork() -> None:
    """Starts a process."""
    subprocess.run(["true"], check=True)


def test_a_tracepoint(bpf: userrb.BpfObject, tracefs: None) -> None:
    """A program without a target in its section is attached to a tracepoint by name."""
    link = bpf.programs["on_fork"].attach(tracepoint="sched/sched_process_fork")
    sees(bpf, link, "forks", fork)
    sees(bpf, bpf.programs["on_named_fork"].attach(), "forks", fork)
    with pytest.raises(userrb.ObjectNotFound, match="'sched/nowhere'"):
        bpf.programs["on_fork"].attach(tracepoint="sched/nowhere")
    with pytest.raises(userrb.BpfError, match="needs a category") as caught:
        bpf.programs["on_fork"].attach(tracepoint="sched_process_fork")
    assert caught.value.errno == errno.EINVAL


def test_without_tracefs_the_error_says_what_to_do(
    bpf: userrb.BpfObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file system has the tracepoints, the message names the command that mounts it."""
    monkeypatch.setattr(attach, "EVENTS", ())
    with pytest.raises(userrb.BpfError, match="mount -t tracefs"):
        bpf.programs["on_fork"].attach(tracepoint="sched/nowhere")


def test_a_raw_tracepoint(bpf: userrb.BpfObject) -> None:
    """A raw one needs no category."""
    link = bpf.programs["on_fork_raw"].attach(tracepoint="sched_process_fork")
    sees(bpf, link, "raw_forks", fork)
    with pytest.raises(userrb.BpfError, match="'nowhere'"):
        bpf.programs["on_fork_raw"].attach(tracepoint="nowhere")


def test_a_kprobe_or_a_clear_error(bpf: userrb.BpfObject) -> None:
    """A function is probed; where the kernel has no kprobes, the error says so."""
    program = bpf.programs["on_exit"]
    if KPROBES.exists():
        sees(bpf, program.attach(kprobe="do_exit"), "exits", fork)
        sees(bpf, bpf.programs["on_named_exit"].attach(), "exits", fork)
        with pytest.raises(userrb.BpfError, match="'nowhere_at_all'"):
            program.attach(kretprobe="nowhere_at_all")
    else:
        with pytest.raises(userrb.BpfError, match=r"no kprobes \(CONFIG_KPROBES\)") as caught:
            program.attach(kretprobe="do_exit")
        assert caught.value.errno == errno.EOPNOTSUPP
        with pytest.raises(userrb.BpfError, match=r"kprobe/do_exit: .* no kprobes"):
            bpf.programs["on_named_exit"].attach()


def test_xdp_on_an_interface(bpf: userrb.BpfObject) -> None:
    """An xdp program sees what an interface receives; a second one is told that it is taken."""
    program = bpf.programs["on_frame"]
    sees(bpf, program.attach(interface="lo"), "received", send)
    with program.attach(interface=socket.if_nametoindex("lo")):
        with pytest.raises(userrb.BpfError) as caught:
            program.attach(interface="lo")
        assert caught.value.errno == errno.EBUSY


@pytest.mark.parametrize("tcx", [True, False], ids=["tcx", "clsact"])
def test_tc_on_an_interface(
    bpf: userrb.BpfObject, monkeypatch: pytest.MonkeyPatch, tcx: bool
) -> None:
    """A tc program sees packets that arrive, or those that leave; also where there is no tcx."""
    if not tcx:
        monkeypatch.setattr(attach, "attach_tcx", lambda *_: -errno.EINVAL)
    try:
        first = bpf.programs["on_arrival"].attach(interface="lo")
    except userrb.BpfError as error:
        assert "lacks the module sch_ingress" in str(error)  # noqa: PT017 - a kernel without
        return
    try:
        sees(bpf, first, "arrived", send)
        sees(bpf, bpf.programs["on_leaving"].attach(interface="lo", egress=True), "left", send)
        with (
            bpf.programs["on_leaving"].attach(interface="lo"),
            bpf.programs["on_arrival"].attach(interface="lo"),
        ):
            arrived = bpf.globals["arrived"]
            send()
            assert bpf.globals["arrived"] > arrived
    finally:
        if command := shutil.which("tc", path="/usr/sbin:/sbin:/usr/bin:/bin"):
            remove = [command, "qdisc", "del", "dev", "lo", "clsact"]
            subprocess.run(remove, check=False, stderr=subprocess.DEVNULL)


def test_a_cgroup(bpf: userrb.BpfObject) -> None:
    """A program of a cgroup sees what its processes send."""
    with tempfile.TemporaryDirectory() as folder, mounted("cgroup2", Path(folder)) as root:
        link = bpf.programs["on_egress"].attach(cgroup=root)
        sees(bpf, link, "egressed", send)
        with pytest.raises(userrb.ObjectNotFound, match="nowhere"):
            bpf.programs["on_egress"].attach(cgroup=root / "nowhere")
    with pytest.raises(userrb.BpfError, match="not the folder of a cgroup of version 2"):
        bpf.programs["on_egress"].attach(cgroup="/usr")


def test_a_target_that_does_not_suit(bpf: userrb.BpfObject) -> None:
    """Wrong targets are refused with words, and leave nothing attached or open."""
    gc.collect()  # what earlier tests left must not be closed meanwhile
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    programs = bpf.programs
    with pytest.raises(userrb.ObjectNotFound, match="no such interface"):
        programs["on_frame"].attach(interface="nowhere0")
    with pytest.raises(userrb.BpfError, match="only xdp and tc programs"):
        programs["nothing"].attach(interface="lo")
    with pytest.raises(userrb.BpfError):
        programs["on_frame"].attach(interface=1 << 20)
    with pytest.raises(userrb.BpfError):
        programs["on_arrival"].attach(interface=1 << 20)
    with pytest.raises(userrb.BpfError, match="'nothing'"):
        programs["nothing"].attach(tracepoint="sched/sched_switch")
    with pytest.raises(userrb.BpfError, match="'on_fork'"):
        programs["on_fork"].attach()
    with pytest.raises(TypeError, match="one target, not to tracepoint and interface"):
        programs["on_fork"].attach(tracepoint="a/b", interface="lo")
    with pytest.raises(ValueError, match="null byte"):
        programs["on_fork"].attach(tracepoint="sched/sched_switch\0")
    with pytest.raises(TypeError, match="egress is for tc"):
        programs["on_frame"].attach(interface="lo", egress=True)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert lib.userrb_detach_tc(1, False, 1, 1) < 0

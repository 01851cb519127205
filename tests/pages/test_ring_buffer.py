"""What the pages of ring_buffer__* say of libbpf's own functions."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb
from tests.pages.child import become_nobody, in_child
from tests.pages.native import failed, native

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Rig:
    """The loaded object, and rings on its maps whose events go into `seen`."""

    def __init__(self, bpf: userrb.BpfObject) -> None:
        self.bpf = bpf
        self.seen: list[int] = []
        self.contexts: list[int | None] = []
        self.places: list[int] = []
        self.answer = 0
        self.callback = CALLBACK(self._note)
        self.opened: list[int] = []

    def _note(self, context: int | None, data: int, size: int) -> int:
        assert size == 8
        self.contexts.append(context)
        self.places.append(data)
        self.seen.append(ctypes.c_uint64.from_address(data).value)
        return self.answer

    def new(self, fd: int | None = None, options: bytes | None = None) -> int | None:
        """Open a ring on a map: `events`, unless another descriptor is given."""
        fd = self.fd("events") if fd is None else fd
        handle: int | None = native.ring_buffer__new(fd, self.callback, None, options)
        if handle:
            self.opened.append(handle)
        return handle

    def fd(self, name: str) -> int:
        """Return the descriptor of a map."""
        return self.bpf.maps[name].fileno()

    def send(self, *values: int, program: str = "send") -> None:
        """Let the BPF program send events."""
        for value in values:
            run = self.bpf.programs[program].test_run(ctx=struct.pack("=Q", value))
            assert run.retval == 0


@pytest.fixture
def rig(compile_bpf: Callable[[str], Path]) -> Iterator[Rig]:
    """Load tests/bpf/buffers.bpf.c; close the rings at the end."""
    with userrb.BpfObject(compile_bpf("buffers")) as bpf:
        made = Rig(bpf)
        yield made
        for handle in made.opened:
            native.ring_buffer__free(handle)


@pytest.mark.row("ring_buffer__new", "`map_fd` is not open")
def test_new_without_a_descriptor(rig: Rig) -> None:
    """A descriptor that is not open is EBADFD."""
    assert failed(rig.new(-1)) == errno.EBADFD


@pytest.mark.row("ring_buffer__new", "a map of another type")
def test_new_on_something_else(rig: Rig) -> None:
    """Another map, a program and a file are EINVAL."""
    with open("/dev/null") as file:  # noqa: PTH123
        for fd in (rig.fd("numbers"), rig.bpf.programs["send"].fileno(), file.fileno()):
            assert failed(rig.new(fd)) == errno.EINVAL


@pytest.mark.row("ring_buffer__new", "`opts` has a size")
def test_new_with_options(rig: Rig) -> None:
    """Options must have a size of 8 or more, and zeros where libbpf knows nothing."""
    assert rig.new(options=struct.pack("@N", 8))
    assert failed(rig.new(options=struct.pack("@N", 4))) == errno.EINVAL
    assert failed(rig.new(options=struct.pack("@NQ", 16, 1))) == errno.EINVAL
    assert rig.new(options=struct.pack("@NQ", 16, 0))


@pytest.mark.row("ring_buffer__new", "frozen")
def test_new_on_a_frozen_map(rig: Rig) -> None:
    """The consumer's page cannot be mapped writable any more."""
    assert native.bpf_map_freeze(rig.fd("events")) == 0
    assert failed(rig.new()) == errno.EPERM


@pytest.mark.row("ring_buffer__new", "no descriptor left")
def test_new_without_descriptors_left(rig: Rig) -> None:
    """A ring takes a descriptor for its epoll instance."""

    def starve() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0), 64))
        return failed(rig.new()) == errno.EMFILE

    assert in_child(starve) == 1


@pytest.mark.row("ring_buffer__new", "address space")
def test_new_without_address_space(rig: Rig) -> None:
    """The data are mapped twice in a row."""

    def starve() -> bool:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used, used))
        return failed(rig.new()) == errno.ENOMEM

    assert in_child(starve) == 1


def test_new_leaves_the_descriptor_to_the_caller(rig: Rig) -> None:
    """A ring works on when the descriptor that it was opened on is closed."""
    fd = os.dup(rig.fd("events"))
    ring = rig.new(fd)
    os.close(fd)
    rig.send(1)
    assert native.ring_buffer__poll(ring, 1000) == 1
    assert rig.seen == [1]


def test_new_needs_no_privilege(rig: Rig) -> None:
    """A process without any capability can read from a map whose descriptor it was given."""
    rig.send(7)

    def unprivileged() -> bool:
        become_nobody()
        return native.ring_buffer__consume(rig.new()) == 1 and rig.seen == [7]

    assert in_child(unprivileged) == 1


def test_a_second_ring_goes_on_where_the_first_stopped(rig: Rig) -> None:
    """An event goes to one reader: the position is in the map, which all of them share."""
    first, second = rig.new(), rig.new()
    rig.send(1)
    assert native.ring_buffer__consume(first) == 1
    rig.send(2)
    assert native.ring_buffer__consume(second) == 1
    assert native.ring_buffer__consume(first) == 0
    assert rig.seen == [1, 2]


def test_data_cannot_be_written(rig: Rig) -> None:
    """What a callback gets is in the ring's own memory, which is mapped read-only."""

    def spoil(context: int, data: int, size: int) -> int:
        assert data % 8 == 0
        ctypes.c_uint64.from_address(data).value = 2
        return 0

    rig.send(1)
    rig.callback = CALLBACK(spoil)
    assert in_child(lambda: native.ring_buffer__consume(rig.new())) == -signal.SIGSEGV


def test_the_context_reaches_the_callback(rig: Rig) -> None:
    """Each ring has its own, which is the callback's first argument."""
    ring = native.ring_buffer__new(rig.fd("events"), rig.callback, 4711, None)
    assert native.ring_buffer__add(ring, rig.fd("others"), rig.callback, 4712) == 0
    rig.send(1)
    rig.send(2, program="send_other")
    native.ring_buffer__consume(ring)
    native.ring_buffer__free(ring)
    assert rig.contexts == [4711, 4712]


@pytest.mark.row("ring_buffer__add", "`map_fd` is not open")
def test_add_without_a_descriptor(rig: Rig) -> None:
    """As for new; the rings that there are stay."""
    ring = rig.new()
    assert failed(native.ring_buffer__add(ring, -1, rig.callback, None)) == errno.EBADFD
    rig.send(1)
    assert native.ring_buffer__poll(ring, 1000) == 1


@pytest.mark.row("ring_buffer__add", "not a map of the type")
def test_add_something_else(rig: Rig) -> None:
    """Another map is EINVAL."""
    ring = rig.new()
    numbers = rig.fd("numbers")
    assert failed(native.ring_buffer__add(ring, numbers, rig.callback, None)) == errno.EINVAL


@pytest.mark.row("ring_buffer__add", "already has this descriptor")
def test_add_twice(rig: Rig) -> None:
    """The same descriptor again is EEXIST, which epoll says; a duplicate is accepted."""
    ring = rig.new()
    events = rig.fd("events")
    assert failed(native.ring_buffer__add(ring, events, rig.callback, None)) == errno.EEXIST
    copy = os.dup(events)
    assert native.ring_buffer__add(ring, copy, rig.callback, None) == 0
    rig.send(1)
    assert native.ring_buffer__consume(ring) == 1
    os.close(copy)


@pytest.mark.row("ring_buffer__add", "frozen")
def test_add_a_frozen_map(rig: Rig) -> None:
    """As for new."""
    ring = rig.new()
    others = rig.fd("others")
    assert native.bpf_map_freeze(others) == 0
    assert failed(native.ring_buffer__add(ring, others, rig.callback, None)) == errno.EPERM


def test_poll_counts_events_of_all_rings(rig: Rig) -> None:
    """What was discarded in the kernel is not counted, and no callback sees it."""
    ring = rig.new()
    assert native.ring_buffer__add(ring, rig.fd("others"), rig.callback, None) == 0
    rig.send(1, 2)
    rig.bpf.programs["discard"].test_run()
    rig.send(3, program="send_other")
    assert native.ring_buffer__poll(ring, 1000) == 3
    assert sorted(rig.seen) == [1, 2, 3]


def test_poll_without_events(rig: Rig) -> None:
    """After the timeout it returns 0."""
    assert native.ring_buffer__poll(rig.new(), 0) == 0
    assert native.ring_buffer__poll(rig.new(), 1) == 0


def test_poll_waits_without_a_timeout(rig: Rig) -> None:
    """With -1 it waits until an event comes."""
    ring = rig.new()
    sender = threading.Timer(0.05, rig.send, [5])
    sender.start()
    assert native.ring_buffer__poll(ring, -1) == 1
    sender.join()
    assert rig.seen == [5]


@pytest.mark.row("ring_buffer__poll", "A signal")
def test_poll_and_signals(rig: Rig) -> None:
    """A handled signal ends the wait, also if the handler restarts system calls."""

    def wait() -> bool:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.siginterrupt(signal.SIGALRM, False)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        return failed(native.ring_buffer__poll(rig.new(), 60_000)) == errno.EINTR

    assert in_child(wait) == 1


@pytest.mark.parametrize("call", ["poll", "consume"])
def test_a_negative_answer_of_the_callback_ends_it(rig: Rig, call: str) -> None:
    """It is returned, and in errno; its event is taken, and the rest stays for the next call."""
    ring = rig.new()
    rig.send(1, 2, 3)
    rig.answer = -errno.ECANCELED
    if call == "poll":
        assert failed(native.ring_buffer__poll(ring, 1000)) == errno.ECANCELED
    else:
        assert failed(native.ring_buffer__consume(ring)) == errno.ECANCELED
    assert rig.seen == [1]
    rig.answer = 1  # means nothing
    assert native.ring_buffer__poll(ring, 1000) == 2
    assert rig.seen == [1, 2, 3]


def test_poll_does_not_see_what_was_sent_without_a_wakeup(rig: Rig) -> None:
    """BPF_RB_NO_WAKEUP: nor what is sent after it, until consume has read all of it."""
    ring = rig.new()
    rig.send(1, program="send_silently")
    rig.send(2)
    assert native.ring_buffer__poll(ring, 10) == 0
    assert native.ring_buffer__consume(ring) == 2
    rig.send(3)
    assert native.ring_buffer__poll(ring, 1000) == 1


def test_a_full_ring_takes_no_events(rig: Rig) -> None:
    """The BPF program's call fails; what was sent before is all there."""
    ring = rig.new()
    rig.send(*range(255))  # 16 bytes each: never quite full
    run = rig.bpf.programs["send"].test_run(ctx=bytes(8))
    assert run.retval == -errno.EAGAIN
    assert native.ring_buffer__consume(ring) == 255
    assert rig.seen == list(range(255))


def test_consume_goes_through_the_rings_in_order(rig: Rig) -> None:
    """The maps in the order in which they were added, each until it is empty."""
    ring = rig.new()
    assert native.ring_buffer__add(ring, rig.fd("others"), rig.callback, None) == 0
    rig.send(1, program="send_other")
    rig.send(2, 3)
    assert native.ring_buffer__consume(ring) == 3
    assert rig.seen == [2, 3, 1]


def test_the_epoll_descriptor(rig: Rig) -> None:
    """It is readable while there are events, and closed on exec."""
    ring = rig.new()
    fd = native.ring_buffer__epoll_fd(ring)
    assert not os.get_inheritable(fd)
    assert select.select([fd], [], [], 0)[0] == []
    rig.send(1)
    assert select.select([fd], [], [], 1)[0] == [fd]
    assert select.select([fd], [], [], 0)[0] == [fd]
    native.ring_buffer__consume(ring)
    assert select.select([fd], [], [], 0)[0] == []


def test_the_epoll_descriptor_covers_what_is_added_later(rig: Rig) -> None:
    """It is readable for events of any map."""
    ring = rig.new()
    fd = native.ring_buffer__epoll_fd(ring)
    assert native.ring_buffer__add(ring, rig.fd("others"), rig.callback, None) == 0
    rig.send(1, program="send_other")
    assert select.select([fd], [], [], 1)[0] == [fd]


def test_an_epoll_instance_may_watch_it(rig: Rig) -> None:
    """The descriptor can be put into another epoll instance."""
    fd = native.ring_buffer__epoll_fd(rig.new())
    with select.epoll() as outer:
        outer.register(fd, select.EPOLLIN)
        rig.send(1)
        assert outer.poll(1) == [(fd, select.EPOLLIN)]


def test_free(rig: Rig) -> None:
    """It closes the epoll descriptor and leaves the map, with the events that nobody read."""
    ring = native.ring_buffer__new(rig.fd("events"), rig.callback, None, None)
    fd = native.ring_buffer__epoll_fd(ring)
    rig.send(1)
    native.ring_buffer__free(ring)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    assert native.ring_buffer__consume(rig.new()) == 1
    native.ring_buffer__free(None)


def test_events_are_gone_with_the_ring(rig: Rig) -> None:
    """A pointer that a callback kept is invalid after the free."""
    rig.send(1)

    def read_late() -> int:
        ring = native.ring_buffer__new(rig.fd("events"), rig.callback, None, None)
        native.ring_buffer__consume(ring)
        assert ctypes.c_uint64.from_address(rig.places[0]).value == 1
        native.ring_buffer__free(ring)
        return ctypes.c_uint64.from_address(rig.places[0]).value

    assert in_child(read_late) == -signal.SIGSEGV


def test_new_says_on_standard_error_what_it_refuses() -> None:
    """A refusal prints a line, unless libbpf_set_print stops it."""
    program = (
        "import ctypes\n"
        "lib = ctypes.CDLL('libbpf.so.1')\n"
        "lib.ring_buffer__new(-1, None, None, None)\n"
        "lib.libbpf_set_print(None)\n"
        "lib.ring_buffer__new(-2, None, None, None)\n"
    )
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    assert done.stderr.startswith("libbpf: ringbuf: failed to get map info for fd=-1")
    assert done.stderr.count("\n") == 1

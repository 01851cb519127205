"""What the pages of perf_buffer__* say of libbpf's own functions."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import select
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb
from tests.pages.child import become_nobody, in_child, open_descriptors
from tests.pages.native import failed, native

ON_EVENT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32)
ON_LOST = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64)
ON_RECORD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
DONE, ERROR, CONT = 0, -1, -2
SAMPLE, LOST = 9, 2
PAGE = resource.getpagesize()


class Attributes(ctypes.Structure):
    """The beginning of struct perf_event_attr, as far as a perf buffer needs it."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_events", ctypes.c_uint32),
        ("rest", ctypes.c_uint32 * 3),
    )


def attributes(config: int = 10, wakeup_events: int = 1) -> Attributes:
    """Make those that perf_buffer__new would: PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW."""
    return Attributes(
        type=1,
        size=64,
        config=config,
        sample_period=1,
        sample_type=1 << 10,
        wakeup_events=wakeup_events,
    )


class RawOptions(ctypes.Structure):
    """struct perf_buffer_raw_opts."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("cpu_cnt", ctypes.c_int),
        ("cpus", ctypes.POINTER(ctypes.c_int)),
        ("map_keys", ctypes.POINTER(ctypes.c_int)),
    )


def raw_options(cpu: int, key: int) -> RawOptions:
    """Ask for one buffer, of a CPU, in an element of the map."""
    return RawOptions(
        ctypes.sizeof(RawOptions), 1, (ctypes.c_int * 1)(cpu), (ctypes.c_int * 1)(key)
    )


class Rig:
    """The loaded object, this process on CPU 0, and what the callbacks saw."""

    def __init__(self, bpf: userrb.BpfObject) -> None:
        self.bpf = bpf
        self.events: list[tuple[int | None, int, int, int]] = []
        self.lost: list[tuple[int | None, int, int]] = []
        self.records: list[int] = []
        self.answer = CONT
        self.on_event = ON_EVENT(self._event)
        self.on_lost = ON_LOST(lambda *seen: self.lost.append(seen))
        self.on_record = ON_RECORD(self._record)
        self.opened: list[int] = []

    def _event(self, context: int | None, cpu: int, data: int, size: int) -> None:
        self.events.append((context, cpu, ctypes.c_uint64.from_address(data).value, size))

    def _record(self, context: int | None, cpu: int, event: int) -> int:
        self.records.append(ctypes.c_uint32.from_address(event).value)
        return self.answer

    def fd(self, name: str = "perf_events") -> int:
        """Return the descriptor of a map."""
        return self.bpf.maps[name].fileno()

    def new(
        self, fd: int | None = None, pages: int = 1, options: bytes | None = None
    ) -> int | None:
        """Open perf buffers on a map."""
        fd = self.fd() if fd is None else fd
        return self.keep(
            native.perf_buffer__new(fd, pages, self.on_event, self.on_lost, 4711, options)
        )

    def new_raw(
        self, given: Attributes | None, options: RawOptions | bytes | None = None
    ) -> int | None:
        """Open perf buffers with attributes of one's own."""
        pointer = ctypes.byref(options) if isinstance(options, RawOptions) else options
        wanted = ctypes.byref(given) if given else None
        return self.keep(
            native.perf_buffer__new_raw(self.fd(), 1, wanted, self.on_record, None, pointer)
        )

    def keep(self, handle: int | None) -> int | None:
        """Free it at the end."""
        if handle:
            self.opened.append(handle)
        return handle

    def send(self, size: int = 20, count: int = 1) -> int:
        """Let the BPF program send the sizes of packets; returns what its helper returned."""
        result = 0
        for _ in range(count):
            result = self.bpf.programs["send_perf"].test_run(data=bytes(size)).retval
        return result


@pytest.fixture
def rig(compile_bpf: Callable[[str], Path]) -> Iterator[Rig]:
    """Load tests/bpf/buffers.bpf.c; run on one CPU until the test ends."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    with userrb.BpfObject(compile_bpf("buffers")) as bpf:
        made = Rig(bpf)
        yield made
        for handle in made.opened:
            native.perf_buffer__free(handle)
    os.sched_setaffinity(0, everywhere)


@pytest.mark.row("perf_buffer__new", "no power of two")
def test_new_with_a_wrong_number_of_pages(rig: Rig) -> None:
    """Zero and three are EINVAL."""
    assert failed(rig.new(pages=0)) == errno.EINVAL
    assert failed(rig.new(pages=3)) == errno.EINVAL


@pytest.mark.row("perf_buffer__new", "another type")
def test_new_on_something_else(rig: Rig) -> None:
    """Another map, a program and a file are EINVAL."""
    with open("/dev/null") as file:  # noqa: PTH123
        for fd in (rig.fd("numbers"), rig.bpf.programs["send"].fileno(), file.fileno()):
            assert failed(rig.new(fd)) == errno.EINVAL


@pytest.mark.row("perf_buffer__new", "`opts` has a size")
def test_new_with_options(rig: Rig) -> None:
    """Options must have a size of 8 or more, and zeros where libbpf knows nothing."""
    assert rig.new(options=struct.pack("@N", 8))
    assert failed(rig.new(options=struct.pack("@N", 4))) == errno.EINVAL
    too_much = struct.pack("@N", 64) + bytes(55) + b"x"
    assert failed(rig.new(options=too_much)) == errno.EINVAL


@pytest.mark.row("perf_buffer__new", "is not open")
def test_new_without_a_descriptor(rig: Rig) -> None:
    """A descriptor that is not open is EBADFD."""
    assert failed(rig.new(-1)) == errno.EBADFD


@pytest.mark.row("perf_buffer__new", "no descriptor left")
def test_new_without_descriptors_left(rig: Rig) -> None:
    """It takes one for each CPU, and one for its epoll instance."""

    def starve() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0), 64))
        return failed(rig.new()) == errno.EMFILE

    assert in_child(starve) == 1


@pytest.mark.row("perf_buffer__new", "memory")
def test_new_with_more_pages_than_there_can_be(rig: Rig) -> None:
    """The kernel cannot make a buffer of 16 GiB for each CPU."""
    assert failed(rig.new(pages=1 << 22)) == errno.ENOMEM


@pytest.mark.row("perf_buffer__new", "may not watch a CPU")
def test_new_without_privilege(rig: Rig) -> None:
    """A process without capabilities, whatever descriptor it was given."""
    paranoid = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    assert paranoid > 0, "this kernel lets everybody watch a CPU"

    def unprivileged() -> bool:
        become_nobody()
        return failed(rig.new()) == errno.EACCES

    assert in_child(unprivileged) == 1


def test_what_a_callback_gets(rig: Rig) -> None:
    """The context, the CPU, the data, and a size that is rounded up: 8 bytes come as 12."""
    buffers = rig.new()
    rig.send(20)
    assert native.perf_buffer__poll(buffers, 1000) == 1
    assert rig.events == [(4711, 0, 20, 12)]


def test_without_callbacks(rig: Rig) -> None:
    """Events without a callback are taken from the buffer and go nowhere."""
    buffers = rig.keep(native.perf_buffer__new(rig.fd(), 1, None, None, None, None))
    rig.send()
    assert native.perf_buffer__consume(buffers) == 0
    assert native.perf_buffer__poll(buffers, 10) in (0, 1)
    assert rig.events == []


def test_lost_events_are_counted(rig: Rig) -> None:
    """The number comes with the next event for which there is room, before it."""
    buffers = rig.new()
    rig.send(count=200)
    assert native.perf_buffer__consume(buffers) == 0
    received = len(rig.events)
    assert 0 < received < 200
    assert rig.lost == []
    assert rig.send() == 0
    native.perf_buffer__consume(buffers)
    assert rig.lost == [(4711, 0, 200 - received)]
    assert len(rig.events) == received + 1


def test_a_full_buffer_refuses_the_event(rig: Rig) -> None:
    """The BPF program hears of it: -ENOSPC."""
    assert rig.new()
    assert rig.send(count=300) == -errno.ENOSPC


def test_a_buffer_a_cpu(rig: Rig) -> None:
    """As many as CPUs are online; each with a descriptor of its own."""
    buffers = rig.new()
    count = native.perf_buffer__buffer_cnt(buffers)
    assert count == os.sysconf("SC_NPROCESSORS_ONLN")
    assert rig.bpf.maps["perf_events"].max_entries >= count
    assert len({native.perf_buffer__buffer_fd(buffers, index) for index in range(count)}) == count


def test_poll_counts_buffers(rig: Rig) -> None:
    """Three events on one CPU are 1."""
    buffers = rig.new()
    assert native.perf_buffer__poll(buffers, 0) == 0
    rig.send(count=3)
    assert native.perf_buffer__poll(buffers, 1000) == 1
    assert len(rig.events) == 3
    assert native.perf_buffer__poll(buffers, 0) == 0


@pytest.mark.row("perf_buffer__poll", "A signal")
def test_poll_and_signals(rig: Rig) -> None:
    """A handled signal ends the wait."""

    def wait() -> bool:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.siginterrupt(signal.SIGALRM, False)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        return failed(native.perf_buffer__poll(rig.new(), 60_000)) == errno.EINTR

    assert in_child(wait) == 1


def test_two_sets_of_buffers_on_a_map(rig: Rig) -> None:
    """The later one takes the map's elements over, and the earlier one gets no more events."""
    first, second = rig.new(), rig.new()
    rig.send()
    assert native.perf_buffer__poll(first, 10) == 0
    assert native.perf_buffer__poll(second, 1000) == 1


def test_free_takes_the_buffers_out_of_the_map(rig: Rig) -> None:
    """A BPF program that goes on sending gets -ENOENT; all descriptors are closed but the map's."""
    before = open_descriptors()
    assert rig.send() == -errno.ENOENT
    buffers = native.perf_buffer__new(rig.fd(), 1, rig.on_event, None, None, None)
    opened = open_descriptors()
    assert opened == before + native.perf_buffer__buffer_cnt(buffers) + 1
    assert rig.send() == 0
    native.perf_buffer__free(buffers)
    assert rig.send() == -errno.ENOENT
    assert open_descriptors() == before
    native.perf_buffer__free(None)


def test_a_cpu_without_a_buffer(rig: Rig) -> None:
    """A smaller set of CPUs: elsewhere the BPF program gets -ENOENT."""
    others = sorted(set(range(os.sysconf("SC_NPROCESSORS_ONLN"))) - {0})
    buffers = rig.new_raw(attributes(), raw_options(cpu=0, key=0))
    assert native.perf_buffer__buffer_cnt(buffers) == 1
    assert rig.send() == 0
    if others:
        os.sched_setaffinity(0, {others[0]})
        assert rig.send() == -errno.ENOENT


@pytest.mark.row("perf_buffer__buffer_fd", "no such buffer")
@pytest.mark.row("perf_buffer__consume_buffer", "no such buffer")
@pytest.mark.row("perf_buffer__buffer", "no such buffer")
def test_an_index_too_large(rig: Rig) -> None:
    """Buffers are counted from 0."""
    buffers = rig.new()
    count = native.perf_buffer__buffer_cnt(buffers)
    place, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert failed(native.perf_buffer__buffer_fd(buffers, count)) == errno.EINVAL
    assert failed(native.perf_buffer__consume_buffer(buffers, count)) == errno.EINVAL
    wanted = ctypes.byref(place), ctypes.byref(size)
    assert failed(native.perf_buffer__buffer(buffers, count, *wanted)) == errno.EINVAL


def test_a_buffers_descriptor_is_readable_once(rig: Rig) -> None:
    """The kernel forgets the wakeup when somebody has heard of it, though the event is there."""
    buffers = rig.new()
    fd = native.perf_buffer__buffer_fd(buffers, 0)
    assert select.select([fd], [], [], 0)[0] == []
    rig.send()
    assert select.select([fd], [], [], 1)[0] == [fd]
    assert select.select([fd], [], [], 0)[0] == []
    assert native.perf_buffer__consume_buffer(buffers, 0) == 0
    assert len(rig.events) == 1


def test_the_epoll_descriptor_is_readable_once(rig: Rig) -> None:
    """It forgets as well; so consume after each wakeup."""
    buffers = rig.new()
    fd = native.perf_buffer__epoll_fd(buffers)
    assert not os.get_inheritable(fd)
    assert select.select([fd], [], [], 0)[0] == []
    rig.send()
    assert select.select([fd], [], [], 1)[0] == [fd]
    assert select.select([fd], [], [], 0)[0] == []
    assert native.perf_buffer__consume(buffers) == 0
    assert len(rig.events) == 1


def test_consume_buffer_reads_one_cpu(rig: Rig) -> None:
    """Others stay as they are."""
    buffers = rig.new()
    rig.send()
    for index in range(1, native.perf_buffer__buffer_cnt(buffers)):
        assert native.perf_buffer__consume_buffer(buffers, index) == 0
    assert rig.events == []
    assert native.perf_buffer__consume_buffer(buffers, 0) == 0
    assert len(rig.events) == 1


def test_the_memory_of_a_buffer(rig: Rig) -> None:
    """A page with the positions, then the data; the size is that of the data."""
    buffers = rig.new(pages=4)
    place, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert native.perf_buffer__buffer(buffers, 0, ctypes.byref(place), ctypes.byref(size)) == 0
    assert size.value == 4 * PAGE
    assert place.value
    head, tail = (ctypes.c_uint64.from_address(place.value + at) for at in (1024, 1032))
    assert (head.value, tail.value) == (0, 0)
    rig.send(20)
    assert (head.value, tail.value) == (24, 0)
    assert ctypes.c_uint32.from_address(place.value + PAGE).value == SAMPLE
    assert ctypes.c_uint64.from_address(place.value + PAGE + 12).value == 20
    native.perf_buffer__consume(buffers)
    assert (head.value, tail.value) == (24, 24)


@pytest.mark.row("perf_buffer__new_raw", "`attr` is `NULL`")
def test_new_raw_without_attributes(rig: Rig) -> None:
    """They are needed."""
    assert failed(rig.new_raw(None)) == errno.EINVAL


@pytest.mark.row("perf_buffer__new_raw", "`opts` has a size")
def test_new_raw_with_options(rig: Rig) -> None:
    """A size less than 8 is EINVAL."""
    assert failed(rig.new_raw(attributes(), struct.pack("@N", 4))) == errno.EINVAL


@pytest.mark.row("perf_buffer__new_raw", "no such CPU")
def test_new_raw_for_a_cpu_that_is_not_there(rig: Rig) -> None:
    """The kernel refuses."""
    assert failed(rig.new_raw(attributes(), raw_options(cpu=4000, key=0))) == errno.EINVAL


@pytest.mark.row("perf_buffer__new_raw", "no such element")
def test_new_raw_for_an_element_that_is_not_there(rig: Rig) -> None:
    """The map says so."""
    assert failed(rig.new_raw(attributes(), raw_options(cpu=0, key=4000))) == errno.E2BIG


@pytest.mark.row("perf_buffer__new_raw", "the kernel knows no such event")
def test_new_raw_for_an_unknown_event(rig: Rig) -> None:
    """A number of a software event that does not exist."""
    assert failed(rig.new_raw(attributes(config=4000))) == errno.ENOENT


def test_another_event_takes_nothing(rig: Rig) -> None:
    """With PERF_COUNT_SW_DUMMY the BPF program's call fails, -EINVAL."""
    assert rig.new_raw(attributes(config=9))
    assert rig.send() == -errno.EINVAL


def test_records_as_they_are(rig: Rig) -> None:
    """The callback sees every type, and CONT goes on with the next."""
    buffers = rig.new_raw(attributes())
    rig.send(count=200)
    native.perf_buffer__consume(buffers)
    assert set(rig.records) == {SAMPLE}
    rig.send()
    rig.records.clear()
    native.perf_buffer__consume(buffers)
    assert rig.records == [LOST, SAMPLE]


@pytest.mark.parametrize(("answer", "result"), [(DONE, 0), (ERROR, -1)])
def test_a_record_callback_can_stop(rig: Rig, answer: int, result: int) -> None:
    """Its record is taken, the others stay; ERROR is returned as -1, by all that read."""
    buffers = rig.new_raw(attributes())
    rig.send(count=4)
    rig.answer = answer
    assert native.perf_buffer__poll(buffers, 1000) == (result or 1)
    assert native.perf_buffer__consume(buffers) == result
    assert native.perf_buffer__consume_buffer(buffers, 0) == result
    assert len(rig.records) == 3
    rig.answer = CONT
    assert native.perf_buffer__consume(buffers) == 0
    assert len(rig.records) == 4


def test_the_data_are_in_the_record_if_they_are_asked_for(rig: Rig) -> None:
    """Without PERF_SAMPLE_RAW a record is only its header."""
    given = attributes()
    given.sample_type = 0
    buffers = rig.new_raw(given)
    assert rig.send() == 0
    place, size = ctypes.c_void_p(), ctypes.c_size_t()
    native.perf_buffer__buffer(buffers, 0, ctypes.byref(place), ctypes.byref(size))
    assert place.value
    assert ctypes.c_uint64.from_address(place.value + 1024).value == 8


def test_wakeup_events(rig: Rig) -> None:
    """Only each second event wakes; consume sees all of them."""
    buffers = rig.new_raw(attributes(wakeup_events=2))
    rig.send()
    assert native.perf_buffer__poll(buffers, 10) == 0
    rig.send()
    assert native.perf_buffer__poll(buffers, 1000) == 1
    assert len(rig.records) == 2
    rig.send()
    assert native.perf_buffer__poll(buffers, 10) == 0
    assert native.perf_buffer__consume(buffers) == 0
    assert len(rig.records) == 3

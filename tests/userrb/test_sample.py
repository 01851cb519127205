"""What a sample allows, and what it keeps out of the ring."""

from __future__ import annotations

import gc
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import userrb

Drain = Callable[[], int]


def test_indexing_is_a_memoryviews(ring: userrb.UserRingBuffer) -> None:
    """Items are ints, slices are copied in and out, lengths must agree."""
    sample = ring.reserve(8)
    sample[:] = b"abcdefgh"
    sample[0] = 65
    sample[-1] = 72
    sample[1:3] = bytearray(b"BC")
    assert (sample[0], sample[1:4], sample[::2]) == (65, b"BCd", b"ACeg")
    sample[::2] = b"1234"
    assert sample[:] == b"1B2d3f4H"
    assert struct.unpack_from("=2s", sample, 2) == (b"2d",)
    with pytest.raises(ValueError, match="9 bytes do not fit a slice of 8"):
        sample[:] = bytes(9)
    with pytest.raises(IndexError):
        sample[8] = 1
    with pytest.raises(TypeError):
        sample[:] = "text"  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="deleted"):
        del sample[0]  # type: ignore[attr-defined,unused-ignore]
    ring.discard(sample)


@pytest.mark.parametrize("first", ["submit", "discard"])
@pytest.mark.parametrize("second", ["submit", "discard"])
def test_a_sample_ends_once(
    ring: userrb.UserRingBuffer, drain: Drain, first: str, second: str
) -> None:
    """Submitting or discarding again raises, and changes nothing."""
    sample = ring.reserve(8)
    getattr(ring, first)(sample)
    with pytest.raises(userrb.SampleError, match=f"already {first}"):
        getattr(ring, second)(sample)
    assert drain() == (first == "submit")


def test_another_rings_sample_is_refused(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """A sample goes back to the handle that it came from, even if another has the same map."""
    sample = ring.reserve(8)
    with userrb.UserRingBuffer(bpf.maps["samples"]) as other:
        with pytest.raises(userrb.SampleError, match="another ring"):
            other.submit(sample)
        with pytest.raises(userrb.SampleError, match="another ring"):
            other.discard(sample)
    ring.submit(sample)
    assert drain() == 1


def test_a_finished_sample_gives_no_memory(ring: userrb.UserRingBuffer) -> None:
    """After submit no index, view or `with` reaches the ring."""
    sample = ring.reserve(8)
    ring.submit(sample)
    for call in (
        lambda: sample[0],
        lambda: memoryview(sample),
        lambda: sample.__setitem__(slice(None), bytes(8)),
        lambda: sample.__enter__(),
    ):
        with pytest.raises(userrb.SampleError, match="submitted"):
            call()
    with pytest.raises(TypeError):  # what struct makes of any buffer that refuses
        struct.pack_into("=Q", sample, 0, 1)
    assert len(sample) == 8


@pytest.mark.parametrize("end", ["submit", "discard"])
def test_a_view_holds_the_sample(ring: userrb.UserRingBuffer, drain: Drain, end: str) -> None:
    """While a slice of a view is alive, even of a released one, the sample cannot end."""
    sample = ring.reserve(8)
    view = memoryview(sample)
    part = view[2:4]
    view.release()
    with pytest.raises(BufferError, match="view of the sample"):
        getattr(ring, end)(sample)
    with pytest.raises(BufferError, match="view of a reserved sample"):
        ring.close()
    part[0] = 1
    part.release()
    getattr(ring, end)(sample)
    assert drain() == (end == "submit")


def test_with_submits_at_the_end_and_discards_on_an_exception(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """`with` is a transaction."""
    with ring.reserve(8) as sample:
        sample[:] = bytes(8)
    assert drain() == 1
    with pytest.raises(KeyError), ring.reserve(8) as sample:
        raise KeyError
    assert drain() == 0
    assert ring.consumer_position == ring.producer_position


def test_with_leaves_alone_what_the_block_ended(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """A sample that the block itself submitted or discarded is not touched again."""
    with ring.reserve(8) as sample:
        ring.discard(sample)
    with ring.reserve(8) as sample:
        ring.submit(sample)
    assert drain() == 1


def test_a_view_that_outlives_with_is_an_error_that_blocks_nothing(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """The sample is then discarded when the view goes; those behind it are delivered."""
    with pytest.raises(BufferError), ring.reserve(8) as sample:
        view = memoryview(sample)
    ring.write(bytes(8))
    assert drain() == 0
    view.release()
    assert drain() == 1


def test_an_exception_passes_a_view_that_is_alive(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """An exception in the block is not replaced, and the sample is discarded with the view."""
    view = None
    with pytest.raises(KeyError), ring.reserve(8) as sample:
        view = memoryview(sample)
        raise KeyError
    ring.write(bytes(8))
    assert drain() == 0
    del view
    assert drain() == 1


def test_a_dropped_sample_is_discarded(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """F8: a sample that is forgotten does not block those behind it."""
    ring.reserve(8)
    ring.write(bytes(8))
    assert drain() == 1


def test_a_dropped_sample_with_a_view_waits_for_the_view(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """A view keeps its sample; when it goes, the sample is discarded."""
    view = memoryview(ring.reserve(8))
    ring.write(bytes(8))
    gc.collect()
    assert drain() == 0
    del view
    assert drain() == 1


def test_a_sample_keeps_its_ring(bpf: userrb.BpfObject, drain: Drain) -> None:
    """A ring without another reference lives as long as its sample."""
    sample = userrb.UserRingBuffer(bpf.maps["samples"]).reserve(8)
    gc.collect()
    sample[:] = bytes(8)
    del sample
    assert drain() == 0


def in_child(call: Callable[[], object]) -> int:
    """Runs something in a forked child; returns 0 where it returned, 1 where it raised."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            call()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_produces_into_the_same_ring(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """F12: an inherited ring works in the child, and goes on working in the parent."""
    assert in_child(lambda: ring.write(bytes(8))) == 0
    ring.write(bytes(8))
    assert drain() == 2


def test_a_forked_child_leaves_the_parents_samples_alone(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """The child can neither submit, write, drop nor close away what the parent reserved."""
    held = [ring.reserve(8)]

    def misuse() -> None:
        for call in (lambda: ring.submit(held[0]), lambda: memoryview(held[0])):
            with pytest.raises(userrb.SampleError, match="parent"):
                call()
        held.clear()
        gc.collect()
        ring.close()

    assert in_child(misuse) == 0
    assert drain() == 0
    ring.submit(held[0])
    assert drain() == 1


def test_parent_and_child_lose_nothing(bpf: userrb.BpfObject) -> None:
    """F10, F12: the lock reaches across fork, also when the child is killed at any moment."""
    with userrb.UserRingBuffer(bpf.maps["roomy"]) as ring:
        drain = bpf.programs["drain_roomy"].test_run

        def produce() -> None:
            for _ in range(10000):
                ring.write(bytes(8), timeout_ms=-1)

        drained = 0
        child = os.fork()
        if child == 0:
            try:
                produce()
            finally:
                os._exit(0)
        thread = threading.Thread(target=produce)
        thread.start()
        while thread.is_alive() or os.waitpid(child, os.WNOHANG) == (0, 0):
            drained += drain().retval
        assert drained + drain().retval == 20000


def test_the_end_of_the_interpreter_discards(bpf: userrb.BpfObject, drain: Drain) -> None:
    """F8: a process that ends with a sample reserved, even with a view of it, blocks no map."""
    fd = bpf.maps["samples"].fileno()
    program = (
        "import sys, userrb\n"
        f"ring = userrb.UserRingBuffer({fd})\n"
        "sample = ring.reserve(8); other = ring.reserve(8); view = memoryview(other)\n"
        "sys.keep = (ring, sample, view)\n"
    )
    subprocess.run([sys.executable, "-c", program], pass_fds=[fd], check=True)
    with userrb.UserRingBuffer(fd) as ring:
        ring.write(bytes(8))
        assert drain() == 1


def test_a_view_that_a_child_inherits_outlives_its_ring(ring: userrb.UserRingBuffer) -> None:
    """A child that closes its ring keeps the memory that the parent's views show."""
    view = memoryview(ring.reserve(8))
    view[0] = 7

    def look() -> None:
        ring.close()
        assert view[0] == 7

    assert in_child(look) == 0
    view.release()


def test_a_view_outlives_the_end_of_a_wait_at_exit(bpf: userrb.BpfObject) -> None:
    """A thread that waits until the interpreter ends takes no memory that is still seen along."""
    fd = bpf.maps["samples"].fileno()
    program = (
        "import atexit, threading, time\n"
        "ended = threading.Event()\n"
        "atexit.register(lambda: (ended.wait(9), time.sleep(0.1), print(view[0])))\n"
        "import userrb\n"
        f"ring = userrb.UserRingBuffer({fd})\n"
        "view = memoryview(ring.reserve(8))\n"
        "view[0] = 7\n"
        "def wait():\n"
        "    try: ring.reserve_blocking(4088)\n"
        "    except userrb.RingClosed: ended.set()\n"
        "threading.Thread(target=wait, daemon=True).start()\n"
        "time.sleep(0.1)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, pass_fds=[fd], check=True, capture_output=True, text=True)
    assert done.stdout == "7\n"


def test_the_lock_outlives_the_ring_that_was_forked(bpf: userrb.BpfObject) -> None:
    """F10, F12: a ring that the parent opens again shares the lock with the child's old one."""
    ring = userrb.UserRingBuffer(bpf.maps["roomy"])
    drain = bpf.programs["drain_roomy"].test_run
    each = 300_000

    def produce() -> None:
        for _ in range(each):
            ring.write(bytes(8), timeout_ms=-1)

    child = os.fork()
    if child == 0:
        try:
            produce()
        finally:
            os._exit(0)
    ring.close()
    del ring
    ring = userrb.UserRingBuffer(bpf.maps["roomy"])
    thread = threading.Thread(target=produce)
    thread.start()
    drained = 0
    while thread.is_alive() or os.waitpid(child, os.WNOHANG) == (0, 0):
        drained += drain().retval
    with ring:
        assert drained + drain().retval == 2 * each


def test_a_ring_that_keeps_its_own_sample_is_collected(bpf: userrb.BpfObject, drain: Drain) -> None:
    """F8: a subclass with a sample of its own in an attribute does not keep it for ever."""

    class Keeper(userrb.UserRingBuffer):
        kept: userrb.Sample

    ring = Keeper(bpf.maps["samples"])
    ring.kept = ring.reserve(8)
    del ring
    gc.collect()
    with userrb.UserRingBuffer(bpf.maps["samples"]) as other:
        other.write(bytes(8))
        assert drain() == 1


def test_with_says_that_its_ring_was_closed(bpf: userrb.BpfObject) -> None:
    """A block whose sample went with the ring ends in an error, unless it ends in another one."""
    ring = userrb.UserRingBuffer(bpf.maps["samples"])
    with pytest.raises(userrb.SampleError, match="closed") as caught, ring.reserve(8) as sample:
        ring.close()
    assert isinstance(caught.value, userrb.RingClosed)
    assert sample.state == "discarded"
    other = userrb.UserRingBuffer(bpf.maps["samples"])
    with pytest.raises(KeyError), other.reserve(8):
        other.close()
        raise KeyError


def test_a_sample_ends_by_itself(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """Sample.submit and discard do what the ring's calls do, once, and state tells which."""
    first, second = ring.reserve(8), ring.reserve(8)
    assert first.state == "reserved"
    first.submit()
    second.discard()
    assert (first.state, second.state) == ("submitted", "discarded")
    for call in (first.submit, first.discard, second.submit, second.discard):
        with pytest.raises(userrb.SampleError, match="already"):
            call()
    third = ring.reserve(8)
    view = memoryview(third)
    for call in (third.submit, third.discard):
        with pytest.raises(BufferError):
            call()
    view.release()
    third.submit()
    assert drain() == 2


def test_rings_that_are_open_at_a_fork_leave_nothing_mapped(
    bpf: userrb.BpfObject, compile_bpf: Callable[[str], Path]
) -> None:
    """Neither parent nor child keep a mapping of a ring that both have closed."""

    def mappings() -> int:
        return len(Path("/proc/self/maps").read_text().splitlines())

    before = mappings()
    for _ in range(30):
        with (
            userrb.BpfObject(compile_bpf("drain")) as each,
            userrb.UserRingBuffer(each.maps["samples"]) as ring,
        ):
            assert in_child(ring.close) == 0
    assert mappings() < before + 10
    rings = [userrb.UserRingBuffer(bpf.maps[name]) for name in ("samples", "roomy")]

    def close() -> None:
        for ring in rings:
            ring.close()
        assert "bpf-map" not in Path("/proc/self/maps").read_text()

    assert in_child(close) == 0
    for ring in rings:
        ring.close()

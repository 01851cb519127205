"""Opening a ring, and the calls on it."""

from __future__ import annotations

import array
import errno
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import userrb

Drain = Callable[[], int]

FULL = 1016
"""Four samples of this size fill the ring of 4096 bytes."""


def digest(values: list[int]) -> int:
    """What drain_digest returns for these values in this order."""
    total = 0
    for value in values:
        total = (total * 31 + value) & 0xFFFFFFFF
    return total - (1 << 32) if total >> 31 else total


def fill(ring: userrb.UserRingBuffer) -> None:
    """Fills the ring to the last byte."""
    for _ in range(4):
        ring.write(bytes(FULL))


@contextmanager
def after(seconds: float, call: Callable[[], object]) -> Iterator[None]:
    """Calls something in another thread after a while."""
    timer = threading.Timer(seconds, call)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_content_and_order_reach_the_program(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """The program reads the bytes that were written, in the order of reservation."""
    for value in (7, 11, 13):
        sample = ring.reserve(8)
        sample[:] = struct.pack("=Q", value)
        ring.submit(sample)
    assert bpf.programs["drain_digest"].test_run().retval == digest([7, 11, 13])


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 200])
def test_the_program_sees_the_size_that_was_reserved(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, size: int
) -> None:
    """A sample has exactly the size asked for; 0 is valid."""
    with ring.reserve(size) as sample:
        assert len(sample) == size
    assert bpf.programs["drain_length"].test_run().retval == size


def test_the_head_of_the_line_blocks(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """F7: a submitted sample waits behind one that is still reserved."""
    first, second = ring.reserve(8), ring.reserve(8)
    ring.submit(second)
    assert drain() == 0
    ring.submit(first)
    assert drain() == 2


def test_a_discarded_sample_is_not_delivered(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """Discarded samples are skipped, and not counted."""
    ring.discard(ring.reserve(8))
    ring.write(bytes(8))
    assert drain() == 1


def test_a_full_ring_is_enospc(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """Without room reserve raises RingFull with ENOSPC at once, and works again after a drain."""
    fill(ring)
    for call in (lambda: ring.reserve(0), lambda: ring.write(b""), lambda: ring.reserve(FULL)):
        with pytest.raises(userrb.RingFull) as caught:
            call()
        assert caught.value.errno == errno.ENOSPC
    assert drain() == 4
    ring.write(bytes(FULL))


@pytest.mark.parametrize("full", [True, False])
def test_a_timeout_takes_its_time_and_no_cpu(ring: userrb.UserRingBuffer, full: bool) -> None:
    """F1, F2: the wait lasts the timeout and sleeps, on a full and on a partly full ring."""
    for _ in range(4 if full else 3):
        ring.write(bytes(FULL))
    start, cpu = time.monotonic(), time.thread_time()
    with pytest.raises(userrb.RingFull, match="within 300 ms"):
        ring.reserve_blocking(FULL + (0 if full else 1), timeout_ms=300)
    assert 0.3 <= time.monotonic() - start < 0.6
    assert time.thread_time() - cpu < 0.03


@pytest.mark.parametrize("program", ["drain", "drain_no_wakeup", "drain_force_wakeup"])
@pytest.mark.parametrize("timeout_ms", [-1, 5000])
def test_a_blocked_reserve_returns_soon_after_the_drain(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, program: str, timeout_ms: int
) -> None:
    """F4: room is noticed at once after a wakeup, and soon without one."""
    fill(ring)
    start = time.monotonic()
    with after(0.1, bpf.programs[program].test_run):
        ring.discard(ring.reserve_blocking(FULL, timeout_ms))
    assert 0.1 <= time.monotonic() - start < 0.5


def test_a_wait_outlasts_a_drain_that_frees_too_little(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """A wakeup without enough room does not end the wait."""
    held = [ring.reserve(FULL) for _ in range(4)]
    ring.submit(held[0])

    def drain_twice() -> None:
        drain()
        time.sleep(0.2)
        for sample in held[1:]:
            ring.submit(sample)
        drain()

    start = time.monotonic()
    with after(0.1, drain_twice):
        ring.discard(ring.reserve_blocking(2 * FULL))
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize("timeout_ms", [-2, -(1 << 40), 1 << 31, 1 << 70])
def test_a_bad_timeout_is_einval_and_a_value_error(
    ring: userrb.UserRingBuffer, timeout_ms: int
) -> None:
    """A timeout that libbpf refuses is a ValueError that keeps libbpf's errno."""
    calls = (
        lambda: ring.reserve_blocking(8, timeout_ms),
        lambda: ring.write(b"", timeout_ms),
        lambda: ring.submit_many(array.array("Q"), timeout_ms=timeout_ms),
    )
    for call in calls:
        with pytest.raises(ValueError, match="timeout_ms") as caught:
            call()
        assert isinstance(caught.value, userrb.BadTimeout)
        assert caught.value.errno == errno.EINVAL


def test_the_largest_sample_is_the_ring_less_a_header(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """F5: size minus 8 fits an empty ring, one more is E2BIG, blocking or not."""
    ring.write(bytes(4088))
    assert drain() == 1
    for call in (
        lambda: ring.reserve(4089),
        lambda: ring.reserve_blocking(4089),
        lambda: ring.reserve(1 << 80),
        lambda: ring.write(bytes(4089)),
        lambda: ring.submit_many(bytes(4089), size=4089),
    ):
        with pytest.raises(userrb.SampleTooLarge, match="4088") as caught:
            call()
        assert caught.value.errno == errno.E2BIG


def test_arguments_of_the_wrong_kind(ring: userrb.UserRingBuffer) -> None:
    """Wrong types and counts of arguments are TypeErrors, a negative size a ValueError."""
    wrong = (
        lambda: ring.reserve("8"),  # type: ignore[arg-type]
        lambda: ring.reserve(8.0),  # type: ignore[arg-type]
        lambda: ring.reserve(),  # type: ignore[call-arg]
        lambda: ring.reserve(8, 9),  # type: ignore[call-arg]
        lambda: ring.reserve(length=8),  # type: ignore[call-arg]
        lambda: ring.reserve(8, size=8),  # type: ignore[misc]
        lambda: ring.reserve_blocking(8, None),  # type: ignore[arg-type]
        lambda: ring.submit(b"12345678"),  # type: ignore[arg-type]
        lambda: ring.submit(None),  # type: ignore[arg-type]
        lambda: ring.write("text"),  # type: ignore[arg-type]
        lambda: userrb.UserRingBuffer(1.5),  # type: ignore[arg-type]
        lambda: userrb.UserRingBuffer(True),
        lambda: userrb.Sample(),
    )
    for call in wrong:
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="size"):
        ring.reserve(-1)


def test_a_map_of_another_type_is_refused(bpf: userrb.BpfObject) -> None:
    """Only a user ring buffer opens; a program of type 31 is not taken for a map of type 31."""
    with pytest.raises(userrb.WrongMapType, match="type array"):
        userrb.UserRingBuffer(bpf.maps["other"])
    with pytest.raises(userrb.WrongMapType, match="not a BPF map"):
        userrb.UserRingBuffer(bpf.programs["drain"].fileno())
    with Path(os.devnull).open() as file, pytest.raises(userrb.WrongMapType, match="not a BPF map"):
        userrb.UserRingBuffer(file.fileno())


@pytest.mark.parametrize("fd", [-1, 12345])
def test_a_bad_descriptor_is_ebadf(fd: int, capfd: pytest.CaptureFixture[str]) -> None:
    """F14: a descriptor that is not open is EBADF, and nothing goes to standard error."""
    with pytest.raises(userrb.BpfError, match=str(fd)) as caught:
        userrb.UserRingBuffer(fd)
    assert caught.value.errno == errno.EBADF
    assert capfd.readouterr().err == ""


def test_a_pin_that_is_not_there(tmp_path: Path) -> None:
    """A path without a pinned map is a FileNotFoundError that names it."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        userrb.UserRingBuffer(tmp_path / "nowhere")


def test_a_descriptor_of_ones_own_opens_the_ring(bpf: userrb.BpfObject, drain: Drain) -> None:
    """A ring opened by descriptor is the map's, and outlives the object that it came from."""
    with userrb.UserRingBuffer(bpf.maps["samples"].fileno()) as ring:
        ring.write(b"1")
        assert drain() == 1
        bpf.close()
        ring.write(b"2")


def test_a_closed_ring_says_so(ring: userrb.UserRingBuffer) -> None:
    """Every call on a closed ring raises RingClosed; close may be called again."""
    sample = ring.reserve(8)
    ring.close()
    ring.close()
    assert ring.closed
    for call in (
        lambda: ring.reserve(8),
        lambda: ring.reserve_blocking(8),
        lambda: ring.write(b""),
        lambda: ring.submit_many(b"", size=1),
        lambda: ring.fileno(),
        lambda: ring.producer_position,
        lambda: ring.__enter__(),
    ):
        with pytest.raises(userrb.RingClosed):
            call()
    with pytest.raises(userrb.SampleError, match="closed"):
        ring.submit(sample)


def test_a_ring_that_was_never_opened_is_closed() -> None:
    """A ring without __init__ answers as a closed one, and one cannot be opened twice."""
    ring = userrb.UserRingBuffer.__new__(userrb.UserRingBuffer)
    assert ring.closed
    with pytest.raises(userrb.RingClosed):
        ring.reserve(8)
    ring.close()


def test_opening_twice_is_refused(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """A second __init__ raises, and the ring goes on."""
    with pytest.raises(RuntimeError, match="already"):
        ring.__init__(bpf.maps["samples"])  # type: ignore[misc]
    ring.write(b"1")


def test_close_discards_what_is_reserved(bpf: userrb.BpfObject, drain: Drain) -> None:
    """F8: closing with samples reserved leaves the map working for the next handle."""
    ring = userrb.UserRingBuffer(bpf.maps["samples"])
    held = [ring.reserve(8) for _ in range(3)]
    ring.close()
    with userrb.UserRingBuffer(bpf.maps["samples"]) as again:
        again.write(bytes(8))
        assert drain() == 1
    del held


def test_close_ends_a_wait(ring: userrb.UserRingBuffer) -> None:
    """A thread that waits for room gets RingClosed when another closes the ring."""
    fill(ring)
    with after(0.1, ring.close), pytest.raises(userrb.RingClosed):
        ring.reserve_blocking(8)


def test_positions_count_bytes_and_headers(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """A sample of n bytes moves the positions by n + 8, rounded up to 8."""
    start = ring.producer_position
    ring.write(bytes(9))
    assert ring.producer_position - start == 24
    assert ring.consumer_position == start
    drain()
    assert ring.consumer_position == ring.producer_position


def test_free_is_the_room_there_is(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """A sample of 8 bytes less than `free` fits, and nothing larger."""
    assert ring.free == 4096
    ring.write(bytes(9))
    assert ring.free == 4096 - 24
    with pytest.raises(userrb.RingFull):
        ring.reserve(ring.free - 7)
    ring.write(bytes(ring.free - 8))
    assert ring.free == 0
    assert drain() == 2
    assert ring.free == 4096
    ring.close()
    with pytest.raises(userrb.RingClosed):
        assert ring.free


def test_threads_lose_nothing(bpf: userrb.BpfObject) -> None:
    """F10: four threads, two handles of one map: every sample arrives, none twice."""
    rings = [userrb.UserRingBuffer(bpf.maps["roomy"]) for _ in range(2)]
    drain, each = bpf.programs["drain_roomy"].test_run, 5000

    def produce(ring: userrb.UserRingBuffer) -> None:
        for i in range(each):
            if i % 3 == 0:
                ring.write(b"12345678", timeout_ms=-1)
            elif i % 3 == 1:
                ring.submit(ring.reserve_blocking(8))
            else:
                ring.submit_many(array.array("Q", [i]), timeout_ms=-1)

    threads = [threading.Thread(target=produce, args=[rings[i % 2]]) for i in range(4)]
    for thread in threads:
        thread.start()
    drained = 0
    while any(thread.is_alive() for thread in threads):
        drained += drain().retval
    assert drained + drain().retval == 4 * each


def test_the_log_of_a_ring_that_does_not_open_is_its_own(bpf: userrb.BpfObject) -> None:
    """What libbpf prints while a ring is opened stands in that exception, and in no later one."""
    program = (
        "import os, resource, sys, userrb\n"
        "bpf = userrb.BpfObject(sys.argv[1])\n"
        "free = os.dup(0)\n"
        "os.close(free)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (free + 2, 4096))\n"
        "try: userrb.UserRingBuffer(bpf.maps['samples'])\n"
        "except userrb.BpfError as error: print(error.errno, 'epoll' in error.log)\n"
        "try: bpf.programs['drain'].attach()\n"
        "except userrb.BpfError as error: print('epoll' in error.log)\n"
    )
    command = [sys.executable, "-c", program, bpf.path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"{errno.EMFILE} True\nFalse\n"

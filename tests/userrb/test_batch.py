"""Batches: what a record is, what finds room, and that the kernel gets exactly that."""

from __future__ import annotations

import array
import mmap
import random
import struct
import threading
import time
from collections.abc import Callable

import pytest

import userrb

Drain = Callable[[], int]


def digest(values: list[int]) -> int:
    """What drain_digest returns for these values in this order."""
    total = 0
    for value in values:
        total = (total * 31 + value) & 0xFFFFFFFF
    return total - (1 << 32) if total >> 31 else total


def test_a_record_is_an_item(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """Each item of an array is a sample of its own, in order."""
    values = [random.getrandbits(63) for _ in range(100)]
    assert ring.submit_many(array.array("Q", values)) == 100
    assert bpf.programs["drain_digest"].test_run().retval == digest(values)


@pytest.mark.parametrize("size", [1, 3, 8, 16, 24, 32, 40, 64, 100])
def test_a_record_is_size_bytes(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, drain: Drain, size: int
) -> None:
    """Records of every size arrive whole, over the end of the ring and back."""
    for _ in range(50):
        records = [random.randbytes(max(size, 8))[:size] for _ in range(10)]
        assert ring.submit_many(b"".join(records), size) == 10
        if size < 8:
            assert drain() == 10
            continue
        values = [struct.unpack_from("=Q", record)[0] for record in records]
        assert bpf.programs["drain_digest"].test_run().retval == digest(values)


@pytest.mark.parametrize("code", "iIqQ")
def test_offsets_cut_records_of_different_sizes(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer, code: str
) -> None:
    """Arrow's layout: record i reaches from offset i to offset i + 1."""
    values = [random.getrandbits(64) for _ in range(20)]
    records = [struct.pack("=Q", value) + random.randbytes(i) for i, value in enumerate(values)]
    offsets = array.array(code, [0])
    for record in records:
        offsets.append(offsets[-1] + len(record))
    for _ in range(50):
        assert ring.submit_many(b"".join(records), offsets=offsets) == 20
        assert bpf.programs["drain_digest"].test_run().retval == digest(values)


def test_a_part_of_the_data_may_begin_later(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """Offsets of a slice need not begin with 0, nor end with the data."""
    assert ring.submit_many(b"..abcdef..", offsets=array.array("i", [2, 5, 8])) == 2
    assert drain() == 2


def test_what_finds_no_room_is_not_submitted(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """The count is that of the records that fit; the rest goes on from there."""
    records = array.array("Q", range(300))
    assert ring.submit_many(records) == 256
    assert ring.submit_many(records, start=256) == 0
    assert drain() == 256
    assert ring.submit_many(records, start=256) == 44
    assert drain() == 44
    assert ring.submit_many(records, start=300) == 0


def test_a_timeout_waits_for_the_rest(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """With a timeout a batch larger than the ring goes through as it is drained."""
    drained = 0
    stop = threading.Event()

    def drain_on() -> None:
        nonlocal drained
        while not stop.is_set():
            drained += bpf.programs["drain"].test_run().retval
            time.sleep(0.001)

    thread = threading.Thread(target=drain_on)
    thread.start()
    try:
        assert ring.submit_many(array.array("Q", range(10000)), timeout_ms=-1) == 10000
    finally:
        stop.set()
        thread.join()
    assert drained + bpf.programs["drain"].test_run().retval == 10000


def test_a_timeout_returns_what_found_room(ring: userrb.UserRingBuffer) -> None:
    """When the time is over, the count of those that found room is the answer, not an error."""
    start = time.monotonic()
    assert ring.submit_many(array.array("Q", range(300)), timeout_ms=200) == 256
    assert time.monotonic() - start >= 0.2


def test_a_batch_waits_behind_a_reserved_sample(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """Batches keep the order of reservation among single samples."""
    sample = ring.reserve(8)
    assert ring.submit_many(array.array("Q", [1, 2])) == 2
    assert drain() == 0
    ring.submit(sample)
    assert drain() == 3


def test_empty_batches_are_nothing(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """No records, no samples."""
    assert ring.submit_many(b"", size=8) == 0
    assert ring.submit_many(array.array("Q")) == 0
    assert ring.submit_many(b"", offsets=array.array("i", [0])) == 0
    assert drain() == 0


def test_bad_batches_are_refused_whole(ring: userrb.UserRingBuffer, drain: Drain) -> None:
    """A batch that is wrong anywhere submits nothing."""
    eight = array.array("Q", [1, 2, 3])
    wrong: list[Callable[[], int]] = [
        lambda: ring.submit_many(b"12345678"),
        lambda: ring.submit_many(bytearray(8)),
        lambda: ring.submit_many(bytes(9), size=8),
        lambda: ring.submit_many(bytes(8), size=0),
        lambda: ring.submit_many(bytes(8), size=-1),
        lambda: ring.submit_many(bytes(8), size=8, offsets=array.array("i", [0, 8])),
        lambda: ring.submit_many(bytes(8), offsets=array.array("i")),
        lambda: ring.submit_many(bytes(8), offsets=array.array("h", [0, 8])),
        lambda: ring.submit_many(bytes(8), offsets=array.array("d", [0, 8])),
        lambda: ring.submit_many(bytes(8), offsets=array.array("i", [0, 9])),
        lambda: ring.submit_many(bytes(8), offsets=array.array("i", [0, 8, 4])),
        lambda: ring.submit_many(bytes(8), offsets=array.array("i", [-1, 8])),
        lambda: ring.submit_many(bytes(8), offsets=array.array("Q", [0, 1 << 63])),
        lambda: ring.submit_many(eight, start=4),
        lambda: ring.submit_many(eight, start=-1),
    ]
    for call in wrong:
        with pytest.raises(ValueError, match=r"."):
            call()
    with pytest.raises(userrb.SampleTooLarge):
        ring.submit_many(bytes(8 + 4089), offsets=array.array("i", [0, 8, 8 + 4089]))
    with pytest.raises(BufferError):
        ring.submit_many(memoryview(bytes(24))[::2], size=1)
    with pytest.raises(TypeError):
        ring.submit_many([1, 2, 3])  # type: ignore[arg-type]
    assert drain() == 0


@pytest.mark.parametrize("code", "iq")
@pytest.mark.parametrize("start", [-8, 9, 1 << 30])
def test_offsets_that_change_during_a_wait_reach_no_other_memory(
    ring: userrb.UserRingBuffer, drain: Drain, code: str, start: int
) -> None:
    """Offsets that another thread spoils while the batch waits are a ValueError, not a crash."""
    for _ in range(4):
        ring.write(bytes(1016))
    offsets = array.array(code, [0, 8, 16])

    def spoil() -> None:
        offsets[0], offsets[1] = start, start + 8
        drain()

    timer = threading.Timer(0.1, spoil)
    timer.start()
    with pytest.raises(ValueError, match="record 0 changed"):
        ring.submit_many(bytes(16), offsets=offsets, timeout_ms=5000)
    timer.join()
    assert drain() == 0


def test_a_position_that_another_process_has_spoilt_writes_nothing(
    ring: userrb.UserRingBuffer,
) -> None:
    """A producer position behind the consumer's, as without a lock, is no room without end."""
    with mmap.mmap(ring.fileno(), mmap.PAGESIZE, offset=mmap.PAGESIZE) as positions:
        struct.pack_into("=Q", positions, 0, (1 << 64) - 8)
        assert ring.submit_many(bytes(1 << 20), size=8) == 0
        struct.pack_into("=Q", positions, 0, 0)


def test_bytes_have_no_records_whatever_holds_them(ring: userrb.UserRingBuffer) -> None:
    """Without a size, all that holds single bytes is refused, and with one accepted."""
    memory = mmap.mmap(-1, 8)
    for data in (b"8 bytes.", bytearray(8), memoryview(b"8 bytes."), memory, array.array("B", [8])):
        with pytest.raises(ValueError, match="give size="):
            ring.submit_many(data)
        assert ring.submit_many(data, size=1) == len(data)
    memory.close()


def test_offsets_are_checked_at_their_turn_after_a_start(
    ring: userrb.UserRingBuffer, drain: Drain
) -> None:
    """A call that goes on looks at no offset that does not find room, and at none before."""
    offsets = array.array("q", [0, 8, 16, 99])
    ring.write(bytes(ring.size - 8))
    assert ring.submit_many(bytes(24), offsets=offsets, start=1) == 0
    assert drain() == 1
    with pytest.raises(ValueError, match="offset 3 is 99") as caught:
        ring.submit_many(bytes(24), offsets=offsets, start=1)
    assert caught.value.submitted == 1  # type: ignore[attr-defined]
    assert drain() == 1


def test_a_long_batch_with_offsets_takes_linear_time(bpf: userrb.BpfObject) -> None:
    """Through a ring of 4 KiB it takes little more of the CPU than through one of 1 MiB."""
    count = 200_000
    data, offsets = bytes(8 * count), array.array("q", range(0, 8 * count + 8, 8))

    def cpu(name: str, program: str) -> float:
        drain, done, spent = bpf.programs[program].test_run, 0, 0.0
        with userrb.UserRingBuffer(bpf.maps[name]) as ring:
            while done < count:
                before = time.thread_time()
                done += ring.submit_many(data, offsets=offsets, start=done)
                spent += time.thread_time() - before
                drain()
        return spent

    assert cpu("samples", "drain") < 10 * cpu("roomy", "drain_roomy")

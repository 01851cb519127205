"""The kernel ring buffer's consumer: each sample once, in order; views end, and waits do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import userrb

NO_WAKEUP = 1

Fill = Callable[..., int]


@pytest.fixture
def bpf(compile_bpf: Callable[[str], Path]) -> Iterator[userrb.BpfObject]:
    """tests/bpf/answers.bpf.c, loaded afresh."""
    with userrb.BpfObject(compile_bpf("answers")) as loaded:
        yield loaded


@pytest.fixture
def answers(bpf: userrb.BpfObject) -> Iterator[userrb.RingBuffer]:
    """An empty ring of 256 KiB."""
    with userrb.RingBuffer(bpf.maps["answers"]) as opened:
        yield opened


@pytest.fixture
def fill(bpf: userrb.BpfObject) -> Fill:
    """Has the kernel submit answers with ascending ids."""

    def call(count: int, first: int = 0, every: int = 0, flags: int = 0) -> int:
        order = struct.pack("=4I", first, count, every, flags)
        return bpf.programs["fill"].test_run(ctx=order).retval

    return call


def number(sample: memoryview) -> int:
    """The id in an answer."""
    return int(struct.unpack("=QQ", sample)[0])


def test_a_batch_is_all_that_waits(answers: userrb.RingBuffer, fill: Fill) -> None:
    """A batch has every sample, in order, as read-only views; then the ring is empty."""
    fill(100)
    batch = answers.batch()
    assert len(batch) == 100
    assert [number(sample) for sample in batch] == list(range(100))
    assert (number(batch[-1]), [number(part) for part in batch[3:5]]) == (99, [3, 4])
    assert batch.lengths == [16] * 100
    assert batch.tobytes() == b"".join(batch)
    assert batch[0].readonly
    with pytest.raises(TypeError):
        batch[0][0] = 1
    for index in (100, -101):
        with pytest.raises(IndexError):
            batch[index]
    assert answers.producer_position - answers.consumer_position == 100 * 24
    assert len(answers.batch()) == 0
    assert answers.producer_position == answers.consumer_position
    with pytest.raises(userrb.SampleError, match="the batch has ended"):
        batch[0]


def test_samples_of_any_length_come_through_the_end_of_the_ring(bpf: userrb.BpfObject) -> None:
    """None is cut or split, over many rounds of a small ring; an empty one is a sample too."""
    text = b"the quick brown fox jumps over the lazy dog".ljust(64, b"\0")
    with userrb.RingBuffer(bpf.maps["small"]) as small:
        for i in range(2000):
            lengths = [(i * 7 + k) % 64 for k in range(5)]
            for length in lengths:
                order = struct.pack("=4I", 0, length, 0, 0)
                assert bpf.programs["fill_small"].test_run(ctx=order).retval == 0
            batch = small.batch()
            assert batch.lengths == lengths
            assert [bytes(part) for part in batch] == [text[:length] for length in lengths]


def test_discarded_samples_are_skipped(answers: userrb.RingBuffer, fill: Fill) -> None:
    """What the program discards is not seen, and its room comes back."""
    for turn in range(30):
        fill(900, every=3)
        ids = [i for i in range(900) if i % 3 != 2]
        if turn % 2:
            assert [number(sample) for sample in answers.batch()] == ids
        else:
            assert [number(sample) for sample in answers.samples(timeout_ms=0)] == ids
    fill(50, every=1)
    assert len(answers.batch()) == 0
    assert answers.producer_position == answers.consumer_position


def test_a_full_ring_loses_nothing_that_was_submitted(
    answers: userrb.RingBuffer, fill: Fill
) -> None:
    """More than a batch has room for comes in the next one."""
    sent = fill(20000) - 1  # the last call found no room
    assert sent == answers.size // 24
    taken = [len(answers.batch()) for _ in range(3)]
    assert taken == [8192, sent - 8192, 0]


def test_a_batch_is_an_array(bpf: userrb.BpfObject, answers: userrb.RingBuffer, fill: Fill) -> None:
    """Records are a NumPy array in the ring's memory, or a copy where some were discarded."""
    dtype = bpf.structs["answer"].dtype
    for turn in range(40):  # through the end of the ring
        fill(1000, first=turn)
        batch = answers.batch()
        array = batch.array(dtype)
        assert array.base is not None
        assert not array.flags.writeable
        assert (array["id"] == np.arange(turn, turn + 1000)).all()
        assert (array["twice"] == 2 * array["id"]).all()
        del array
    fill(9, every=3)
    assert answers.batch().array(dtype)["id"].tolist() == [0, 1, 3, 4, 6, 7]
    fill(2)
    with pytest.raises(ValueError, match="has 8 bytes, but a sample has 16"):
        answers.batch().array("u8")
    assert len(answers.batch().array(dtype)) == 0


def test_a_view_ends_when_the_ring_goes_on(answers: userrb.RingBuffer, fill: Fill) -> None:
    """Views that were handed out are released by the next call, whoever holds them."""
    fill(3)
    batch = answers.batch()
    views = list(batch)
    fill(1)
    answers.batch()
    for view in views:
        with pytest.raises(ValueError, match="released"):
            view.tobytes()
    fill(2)
    samples = iter(answers)
    first = next(samples)
    next(samples)
    with pytest.raises(ValueError, match="released"):
        first.tobytes()


def test_fields_of_a_sample_hold_no_view(
    bpf: userrb.BpfObject, answers: userrb.RingBuffer, fill: Fill
) -> None:
    """Fields are read while the sample is there; kept longer, they refuse, and the ring goes on."""
    answer = bpf.structs["answer"]
    fill(3)
    kept = []
    for sample in answers.samples(timeout_ms=0):
        fields = answer.at(sample)
        assert answer.unpack(sample) == {"id": fields.id, "twice": 2 * fields.id}
        kept.append(fields)
    assert len(kept) == 3
    for fields in kept:
        with pytest.raises(ValueError, match="released"):
            _ = fields.id


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda sample: sample[:4], id="slice"),
        pytest.param(lambda sample: memoryview(sample), id="view"),
        pytest.param(lambda sample: sample.cast("Q"), id="cast"),
        pytest.param(lambda sample: np.frombuffer(sample, np.uint8), id="array"),
        pytest.param(lambda sample: memoryview(sample.obj), id="all"),
    ],
)
def test_the_ring_does_not_go_on_under_a_view(
    answers: userrb.RingBuffer, fill: Fill, make: Callable[[memoryview], object]
) -> None:
    """A view of the caller's own keeps the ring where it is: BufferError, and nothing is lost."""
    fill(3)
    samples = answers.samples(timeout_ms=0)
    view = make(next(samples))
    position = answers.consumer_position
    for call in (answers.batch, lambda: answers.poll(print, 0), lambda: next(iter(answers))):
        with pytest.raises(BufferError, match="still alive"):
            call()
    assert answers.consumer_position == position
    del view
    gc.collect()
    assert [number(sample) for sample in answers.samples(timeout_ms=0)] == [1, 2]

    fill(2)
    batch = answers.batch()
    view = make(batch[1])
    with pytest.raises(BufferError, match="still alive"):
        answers.batch()
    assert number(batch[1]) == 1
    del view
    assert len(answers.batch()) == 0


def test_a_view_outlives_a_closed_ring(bpf: userrb.BpfObject, fill: Fill) -> None:
    """After close a view is readable still; its sample is not consumed, and others are."""
    fill(3)
    ring = userrb.RingBuffer(bpf.maps["answers"])
    view = ring.batch()[0][:]
    ring.close()
    ring.close()
    assert number(view) == 0
    with userrb.RingBuffer(bpf.maps["answers"]) as again:
        assert [number(sample) for sample in again.samples(timeout_ms=0)] == [0, 1, 2]
    view.release()
    fill(3)
    with userrb.RingBuffer(bpf.maps["answers"]) as again:
        assert number(next(iter(again))) == 0
    with userrb.RingBuffer(bpf.maps["answers"]) as again:
        assert [number(sample) for sample in again.batch()] == [1, 2]


def test_whoever_closes_the_mapping_does_no_harm(answers: userrb.RingBuffer, fill: Fill) -> None:
    """The mapping that a view leads to cannot be closed under views, nor written."""
    fill(2)
    view = answers.batch()[0]
    mapping = view.obj
    with pytest.raises(BufferError):
        mapping.close()  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        mapping[0] = 1  # type: ignore[index]
    del mapping
    fill(1)
    assert len(answers.batch()) == 1


def test_poll_calls_for_each_sample(answers: userrb.RingBuffer, fill: Fill) -> None:
    """The callback gets every sample; what it raises goes on, and the next call behind it."""
    fill(10)
    seen: list[int] = []
    assert answers.poll(lambda sample: seen.append(number(sample))) == 10
    assert answers.poll(lambda sample: seen.append(number(sample)), 0) == 0

    def refuse(sample: memoryview) -> None:
        part = sample[:8]
        seen.append(number(sample))
        raise LookupError(bytes(part))

    fill(3, first=10)
    with pytest.raises(LookupError):
        answers.poll(refuse)
    gc.collect()
    assert answers.poll(lambda sample: seen.append(number(sample)), 0) == 2
    assert seen == list(range(13))
    kept: list[memoryview] = []
    fill(1)
    with pytest.raises(BufferError):
        answers.poll(lambda sample: kept.append(sample[:1]))
    kept.clear()
    fill(3)
    assert answers.poll(lambda sample: answers.close()) == 1
    assert answers.closed


def test_a_wait_ends_with_its_time(answers: userrb.RingBuffer) -> None:
    """With a timeout each call ends without a sample, and uses hardly any processor time."""
    start, used = time.monotonic(), time.thread_time()
    assert len(answers.batch(timeout_ms=50)) == 0
    assert answers.poll(print, timeout_ms=50) == 0
    assert list(answers.samples(timeout_ms=50)) == []
    assert len(asyncio.run(answers.batch_async(timeout_ms=50))) == 0
    assert time.monotonic() - start >= 0.2
    assert time.thread_time() - used < 0.1
    for wrong in (-2, 1 << 31):
        for call in (answers.batch, answers.samples, lambda ms: answers.poll(print, ms)):
            with pytest.raises(userrb.BadTimeout) as caught:
                call(wrong)
            assert caught.value.errno == errno.EINVAL
    for float_ in (0.5, 0.0, -0.5):
        with pytest.raises(TypeError):
            answers.batch(float_)  # type: ignore[arg-type]


@pytest.mark.parametrize("flags", [0, NO_WAKEUP])
def test_a_sample_ends_a_wait(answers: userrb.RingBuffer, fill: Fill, flags: int) -> None:
    """A waiting thread gets what another has the kernel submit, also without a wakeup."""
    for turn in range(20):
        thread = threading.Thread(target=fill, args=(1, turn), kwargs={"flags": flags})
        thread.start()
        assert [number(sample) for sample in answers.batch(timeout_ms=10_000)] == [turn]
        thread.join()


@pytest.mark.parametrize("flags", [0, NO_WAKEUP])
def test_a_sample_ends_a_tasks_wait(answers: userrb.RingBuffer, fill: Fill, flags: int) -> None:
    """A waiting task gets what comes, also without a wakeup."""

    async def run() -> None:
        for turn in range(20):
            waiting = asyncio.create_task(answers.batch_async())
            await asyncio.sleep(0)
            fill(1, turn, flags=flags)
            batch = await asyncio.wait_for(waiting, 10)
            assert [number(sample) for sample in batch] == [turn]

    asyncio.run(run())


def test_answers_from_an_event(bpf: userrb.BpfObject, answers: userrb.RingBuffer) -> None:
    """What a program submits on an event is iterated over as it comes."""
    with bpf.programs["on_fork"].attach():
        subprocess.run(["true"], check=True)
        for sample in answers.samples(timeout_ms=10_000):
            if struct.unpack("=Q", sample)[0] == os.getpid():
                break
        else:
            pytest.fail("no answer")


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda ring: ring.batch(-1), id="batch"),
        pytest.param(lambda ring: ring.poll(print), id="poll"),
        pytest.param(lambda ring: asyncio.run(ring.batch_async()), id="batch_async"),
    ],
)
def test_close_ends_a_wait(
    bpf: userrb.BpfObject, wait: Callable[[userrb.RingBuffer], object]
) -> None:
    """A thread or task that waits gets RingClosed when another thread closes the ring."""
    for delay in (0.0, 0.001, 0.05):
        ring = userrb.RingBuffer(bpf.maps["answers"])
        closer = threading.Timer(delay, ring.close)
        closer.start()
        with pytest.raises(userrb.RingClosed):
            wait(ring)
        closer.join()


def test_close_ends_a_loop(bpf: userrb.BpfObject, fill: Fill) -> None:
    """A loop over the samples ends, without an error, when the ring is closed."""
    fill(2)
    ring = userrb.RingBuffer(bpf.maps["answers"])
    threading.Timer(0.02, ring.close).start()
    assert [number(sample) for sample in ring] == [0, 1]
    assert list(ring) == []
    fill(2)
    ring = userrb.RingBuffer(bpf.maps["answers"])

    async def read() -> list[int]:
        asyncio.get_running_loop().call_later(0.02, ring.close)
        return [number(sample) async for sample in ring]

    assert asyncio.run(read()) == [0, 1]
    for call in (ring.batch, ring.fileno, lambda: ring.consumer_position, ring.__enter__):
        with pytest.raises(userrb.RingClosed):
            call()


def test_ctrl_c_ends_a_wait(compile_bpf: Callable[[str], Path]) -> None:
    """A signal handler that raises ends a wait without a timeout; one that closes does, too."""
    program = (
        "import signal, sys, userrb\n"
        "bpf = userrb.BpfObject(sys.argv[1])\n"
        "ring = userrb.RingBuffer(bpf.maps['answers'])\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "for wait in (lambda: ring.batch(-1), lambda: ring.poll(print), lambda: list(ring)):\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.02)\n"
        "    try: wait()\n"
        "    except KeyboardInterrupt: print('interrupted')\n"
        "signal.signal(signal.SIGALRM, lambda *_: ring.close())\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.02)\n"
        "print(list(ring))\n"
    )
    command = [sys.executable, "-c", program, str(compile_bpf("answers"))]
    done = subprocess.run(command, check=True, timeout=30, capture_output=True, text=True)
    assert done.stdout == "interrupted\n" * 3 + "[]\n"


def test_tasks_wait_while_the_loop_goes_on(answers: userrb.RingBuffer, fill: Fill) -> None:
    """Async for gets every sample; a task that is cancelled has taken none."""

    async def run() -> tuple[list[int], int]:
        seen: list[int] = []

        async def read() -> None:
            async for sample in answers:
                seen.append(number(sample))
                if len(seen) == 500:
                    return

        reader = asyncio.create_task(read())
        for turn in range(50):
            await asyncio.to_thread(fill, 10, 10 * turn)
        await asyncio.wait_for(reader, 30)
        for _ in range(20):
            waiting = asyncio.create_task(answers.batch_async())
            await asyncio.sleep(0)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        fill(3, 500)
        return seen, len(await answers.batch_async(timeout_ms=1000))

    seen, left = asyncio.run(run())
    assert (seen, left) == (list(range(500)), 3)


def test_a_thousand_tasks_wait_for_one_ring(answers: userrb.RingBuffer, fill: Fill) -> None:
    """They share a descriptor, of which the kernel allows few for a map; one gets what comes."""

    async def run() -> list[object]:
        tasks = [asyncio.create_task(answers.batch_async()) for _ in range(1000)]
        await asyncio.sleep(0)
        fill(1)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert sum(task.done() for task in tasks) == 1
        assert tasks[0].done()  # it waited longest
        answers.close()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    first, *others = asyncio.run(run())
    assert isinstance(first, userrb.Batch)
    assert {type(other) for other in others} == {userrb.RingClosed}


def test_another_loop_watches_the_descriptor(answers: userrb.RingBuffer, fill: Fill) -> None:
    """The ring's descriptor is readable while samples wait, and not afterwards."""
    poll = select.poll()
    poll.register(answers.fileno(), select.POLLIN)
    assert poll.poll(0) == []
    fill(1)
    assert [event for _, event in poll.poll(0)] == [select.POLLIN]
    answers.batch()
    answers.batch()
    assert poll.poll(0) == []


def test_a_ring_opens_from_a_map_a_descriptor_or_nothing_else(
    bpf: userrb.BpfObject, tmp_path: Path
) -> None:
    """Wrong maps and what is none are refused with the errors of UserRingBuffer."""
    ring = userrb.RingBuffer(bpf.maps["answers"].fileno())
    assert (ring.size, ring.closed) == (1 << 18, False)
    assert "262144 bytes" in repr(ring)
    userrb.RingBuffer(ring).close()
    ring.close()
    assert "closed" in repr(ring)
    with pytest.raises(userrb.WrongMapType, match=r"not a user_ringbuf \(BPF_MAP_TYPE_USER_RING"):
        userrb.UserRingBuffer(bpf.maps["answers"])
    with pytest.raises(userrb.WrongMapType, match=r"array, not a ringbuf \(BPF_MAP_TYPE_RINGBUF\)"):
        userrb.RingBuffer(bpf.maps["answers.bss"])
    with pytest.raises(userrb.WrongMapType, match="not a BPF map"):
        userrb.RingBuffer(0)
    with pytest.raises(userrb.BpfError) as caught:
        userrb.RingBuffer(9999)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(userrb.ObjectNotFound):
        userrb.RingBuffer(tmp_path / "pin")
    for wrong in (None, 1.5, b"x", True):
        with pytest.raises(TypeError):
            userrb.RingBuffer(wrong)  # type: ignore[arg-type]


def test_no_more_descriptors_is_an_error_of_the_package(
    bpf: userrb.BpfObject, answers: userrb.RingBuffer, fill: Fill
) -> None:
    """EMFILE, at opening or in the first wait of a task, is a BpfError; the ring works on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def wait() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, hard))
        try:
            await answers.batch_async()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with pytest.raises(userrb.BpfError) as caught:
        asyncio.run(wait())
    assert caught.value.errno == errno.EMFILE
    resource.setrlimit(resource.RLIMIT_NOFILE, (4, hard))
    try:
        with pytest.raises(userrb.BpfError) as caught:
            userrb.RingBuffer(bpf.maps["answers"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.errno == errno.EMFILE
    fill(1)
    assert len(asyncio.run(answers.batch_async())) == 1


def test_a_closed_ring_leaves_nothing(bpf: userrb.BpfObject, fill: Fill) -> None:
    """No descriptor and no mapping stays of rings that were closed or dropped."""
    gc.collect()
    before = set(Path("/proc/self/fd").iterdir())
    maps = len(Path("/proc/self/maps").read_text().splitlines())
    for turn in range(20):
        fill(3)
        ring = userrb.RingBuffer(bpf.maps["answers"])
        with contextlib.suppress(userrb.RingClosed):
            ring.batch(timeout_ms=1)
            asyncio.run(ring.batch_async(timeout_ms=1))
        if turn % 2:
            ring.close()
        del ring
    gc.collect()
    assert set(Path("/proc/self/fd").iterdir()) <= before
    assert len(Path("/proc/self/maps").read_text().splitlines()) <= maps + 3


def test_a_close_at_any_moment_loses_nothing(bpf: userrb.BpfObject, fill: Fill) -> None:
    """Where another thread closes the ring, the next reader goes on, at most one sample before."""
    seen: list[int] = []
    for turn in range(200):
        fill(20, 20 * turn)
        ring = userrb.RingBuffer(bpf.maps["answers"])
        closer = threading.Thread(target=ring.close)
        for i, sample in enumerate(ring.samples(timeout_ms=0)):
            if i == turn % 20:
                closer.start()
            seen.append(number(sample))
        closer.join()
    with userrb.RingBuffer(bpf.maps["answers"]) as ring:
        seen += [number(sample) for sample in ring.batch()]
    assert sorted(set(seen)) == list(range(4000))
    assert seen == sorted(seen)
    assert len(seen) <= 4200


def test_signals_do_not_disturb(compile_bpf: Callable[[str], Path]) -> None:
    """Handlers that run in the middle of anything leave every sample in its place."""
    program = (
        "import signal, struct, sys, userrb\n"
        "bpf = userrb.BpfObject(sys.argv[1])\n"
        "ring = userrb.RingBuffer(bpf.maps['answers'])\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)\n"
        "for turn in range(300):\n"
        "    bpf.programs['fill'].test_run(ctx=struct.pack('=4I', 0, 50, 0, 0))\n"
        "    ids = [struct.unpack('=QQ', sample)[0] for sample in ring.batch(-1)]\n"
        "    assert ids == list(range(50)), ids\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
    )
    command = [sys.executable, "-c", program, str(compile_bpf("answers"))]
    subprocess.run(command, check=True, timeout=60)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

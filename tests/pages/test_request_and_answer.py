"""What the page of request and answer says and its example does not show."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import userrb
from tests.userrb.rig import bpf_cc

pytestmark = pytest.mark.kernel

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "request-and-answer"
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Bank:
    """The page's BPF program, its requests, and libbpf's reader of its answers."""

    def __init__(self, bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
        self.bpf, self.ring = bpf, ring
        self.libbpf = ctypes.CDLL("libbpf.so.1")
        self.libbpf.ring_buffer__new.restype = ctypes.c_void_p
        self.callback = Callback(self._keep)
        fd = bpf.maps["answers"].fileno()
        new = self.libbpf.ring_buffer__new
        self.answers = ctypes.c_void_p(new(fd, self.callback, None, None))
        self.seen: list[int] = []

    def _keep(self, _context: int, data: int, size: int) -> int:
        answer = self.bpf.structs["answer"].at(bytearray(ctypes.string_at(data, size)))
        self.seen.append(answer.id)
        return 0

    def ask(self, number: int) -> None:
        """Submits a request."""
        self.ring.write(self.bpf.structs["request"].pack(id=number, amount=1))

    def serve(self) -> int:
        """Runs the BPF program once."""
        return self.bpf.programs["serve"].test_run().retval


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    """The example's BPF program, loaded."""
    target = tmp_path / "serve.bpf.o"
    bpf_cc(EXAMPLE / "serve.bpf.c", target)
    with (
        userrb.BpfObject(target) as bpf,
        userrb.UserRingBuffer(bpf.maps["requests"]) as ring,
    ):
        opened = Bank(bpf, ring)
        yield opened
        opened.libbpf.ring_buffer__free(opened.answers)


def test_no_answer_is_lost_however_late_it_is_read(bank: Bank) -> None:
    """A thousand requests, answers read only when nothing goes on any more: all, in order."""
    asked = 0
    while asked < 1000:
        try:
            bank.ask(asked)
            asked += 1
        except userrb.RingFull:
            if bank.serve() == 0:
                bank.libbpf.ring_buffer__consume(bank.answers)
    while bank.serve() or bank.libbpf.ring_buffer__consume(bank.answers):
        pass
    assert bank.seen == list(range(1000))


def test_poll_sleeps_until_an_answer_comes(bank: Bank) -> None:
    """It returns 0 when its time is over, and otherwise the number of answers."""
    assert bank.libbpf.ring_buffer__poll(bank.answers, 100) == 0
    bank.ask(1)
    bank.ask(2)
    timer = threading.Timer(0.2, bank.serve)
    start, used = time.monotonic(), time.thread_time()
    timer.start()
    assert bank.libbpf.ring_buffer__poll(bank.answers, 10_000) >= 1
    assert 0.2 <= time.monotonic() - start < 5
    assert time.thread_time() - used < 0.1
    timer.join()


def test_an_event_loop_can_watch_the_answers(bank: Bank) -> None:
    """The descriptor is readable when there are answers, and quiet when there are none."""
    calls = []

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        fd = bank.libbpf.ring_buffer__epoll_fd(bank.answers)
        loop.add_reader(fd, lambda: calls.append(bank.libbpf.ring_buffer__consume(bank.answers)))
        bank.ask(1)
        await asyncio.to_thread(bank.serve)
        await asyncio.sleep(0.2)
        loop.remove_reader(fd)

    asyncio.run(watch())
    assert bank.seen == [1]
    assert len(calls) < 5


def test_a_short_request_gets_no_answer(bank: Bank) -> None:
    """Hence a number in the answers: the next one belongs to another request."""
    bank.ring.write(b"short")
    bank.ask(2)
    assert bank.serve() == 2
    bank.libbpf.ring_buffer__consume(bank.answers)
    assert bank.seen == [2]

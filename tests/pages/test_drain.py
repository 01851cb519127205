"""What the page of bpf_user_ringbuf_drain says of the helper."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import select
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import userrb
from tests.userrb.rig import BPF

NO_WAKEUP, FORCE_WAKEUP = 1, 2
LIMIT = 131072
RING = 1 << 21
PAGE = Path(__file__).parent.parent.parent / "docs/linux/helper-function/bpf_user_ringbuf_drain.md"
CALL = struct.Struct("=Qqq")

Compile = Callable[..., Path]


class Answer(NamedTuple):
    """What the helper returned, and what the callback found."""

    returned: int
    found: int


Drain = Callable[..., Answer]


@pytest.fixture
def helper(compile_bpf: Compile) -> Iterator[userrb.BpfObject]:
    """tests/bpf/helper.bpf.c, loaded afresh."""
    with userrb.BpfObject(compile_bpf("helper")) as loaded:
        yield loaded


@pytest.fixture
def roomy(helper: userrb.BpfObject) -> Iterator[userrb.UserRingBuffer]:
    """An empty ring of 2 MiB."""
    with userrb.UserRingBuffer(helper.maps["samples"]) as opened:
        yield opened


@pytest.fixture
def drain_with(helper: userrb.BpfObject) -> Drain:
    """Runs a program of helper.bpf.c with flags."""

    def call(program: str = "drain", flags: int = 0) -> Answer:
        answer = helper.programs[program].test_run(ctx=CALL.pack(flags, 0, 0)).ctx
        return Answer(*CALL.unpack(answer)[1:])

    return call


def test_it_returns_how_many_samples_the_callback_got(
    roomy: userrb.UserRingBuffer, drain_with: Drain
) -> None:
    """The callback runs once for each sample; 0 is returned where there is none."""
    assert drain_with() == (0, 0)
    for _ in range(3):
        roomy.write(b"8 bytes.")
    assert drain_with() == (3, 3)


@pytest.mark.parametrize("flags", [4, 5, 6, 7, 8, 1 << 31, 1 << 33, (1 << 64) - 1])
@pytest.mark.row("bpf_user_ringbuf_drain", "`flags` has another bit")
def test_unknown_flags_are_einval(
    roomy: userrb.UserRingBuffer, drain_with: Drain, flags: int
) -> None:
    """F11: -EINVAL, and nothing is drained."""
    roomy.write(b"8 bytes.")
    assert drain_with(flags=flags) == (-errno.EINVAL, 0)
    assert drain_with() == (1, 1)


def test_a_callback_that_returns_1_stops(roomy: userrb.UserRingBuffer, drain_with: Drain) -> None:
    """F11: the sample at which it stops is counted and gone; the others stay."""
    for _ in range(3):
        roomy.write(b"8 bytes.")
    assert drain_with("drain_one").returned == 1
    assert drain_with().returned == 2


@pytest.mark.row("bpf_user_ringbuf_drain", "The ring is being drained")
def test_a_drain_in_a_callback_is_ebusy(roomy: userrb.UserRingBuffer, drain_with: Drain) -> None:
    """-EBUSY for the inner one; the outer one goes on."""
    for _ in range(3):
        roomy.write(b"8 bytes.")
    assert drain_with("drain_nested") == (3, -errno.EBUSY)


@pytest.mark.row("bpf_user_ringbuf_drain", "The ring is being drained")
def test_of_two_drains_at_once_one_is_ebusy(
    roomy: userrb.UserRingBuffer, drain_with: Drain
) -> None:
    """F11: nothing is lost and nothing comes twice."""
    answers: list[int] = []
    submitted = 0
    deadline = time.monotonic() + 20

    def drain_some() -> None:
        answers.extend(drain_with().returned for _ in range(3))

    while -errno.EBUSY not in answers and time.monotonic() < deadline:
        submitted += roomy.submit_many(bytes(100_000), size=1)
        threads = [threading.Thread(target=drain_some) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    answers.append(drain_with().returned)
    assert {answer for answer in answers if answer < 0} == {-errno.EBUSY}
    assert sum(answer for answer in answers if answer > 0) == submitted


def test_one_call_takes_at_most_131072(roomy: userrb.UserRingBuffer, drain_with: Drain) -> None:
    """F9: of a ring full of samples without bytes, the first half."""
    records = memoryview(bytes(1))
    offsets = struct.pack(f"={RING // 8 + 1}I", *[0] * (RING // 8 + 1))
    assert roomy.submit_many(records, offsets=memoryview(offsets).cast("I")) == RING // 8
    assert [drain_with().returned for _ in range(3)] == [LIMIT, LIMIT, 0]


def test_discarded_samples_count_for_the_limit(
    roomy: userrb.UserRingBuffer, drain_with: Drain
) -> None:
    """131,072 discarded samples use up a call, which returns 0 with a sample behind them."""
    for _ in range(LIMIT):
        roomy.discard(roomy.reserve(0))
    roomy.write(b"")
    assert [drain_with().returned for _ in range(2)] == [0, 1]


def test_data_by_copy_and_in_place(
    helper: userrb.BpfObject, roomy: userrb.UserRingBuffer, drain_with: Drain
) -> None:
    """bpf_dynptr_data points into the ring: what the callback writes there, user space can read."""
    roomy.write(struct.pack("=q", 41))
    assert drain_with("drain_increment") == (1, 41)
    with mmap.mmap(
        helper.maps["samples"].fileno(), mmap.PAGESIZE + RING, offset=mmap.PAGESIZE
    ) as m:
        assert struct.unpack_from("=q", m, mmap.PAGESIZE + 8) == (42,)


def test_past_the_sample(roomy: userrb.UserRingBuffer, drain_with: Drain) -> None:
    """Past the end, bpf_dynptr_read is -E2BIG and bpf_dynptr_data NULL: the padding is not seen."""
    roomy.write(b"1234567")
    assert drain_with("drain_both").found == -errno.E2BIG
    roomy.write(b"12345678")
    assert drain_with("drain_both").found == 1000


@pytest.mark.parametrize(
    ("samples", "discards", "flags", "woken"),
    [
        (0, 0, 0, False),
        (1, 0, 0, True),
        (0, 1, 0, True),
        (1, 0, NO_WAKEUP, False),
        (0, 0, FORCE_WAKEUP, True),
        (1, 0, NO_WAKEUP | FORCE_WAKEUP, True),
        (1, 0, 4, False),
    ],
)
def test_who_is_woken(
    *,
    roomy: userrb.UserRingBuffer,
    drain_with: Drain,
    samples: int,
    discards: int,
    flags: int,
    woken: bool,
) -> None:
    """A drain wakes if it took or skipped a sample; the flags decide otherwise, FORCE first."""
    with select.epoll() as epoll:
        epoll.register(roomy.fileno(), select.EPOLLOUT | select.EPOLLET)
        while epoll.poll(0.1):
            pass
        for _ in range(samples):
            roomy.write(b"8 bytes.")
        for _ in range(discards):
            roomy.discard(roomy.reserve(8))
        drain_with(flags=flags)
        assert bool(epoll.poll(5 if woken else 0.2)) == woken


def test_one_wakeup_a_drain(roomy: userrb.UserRingBuffer, drain_with: Drain) -> None:
    """The wakeup comes after the last sample of the call, not after each."""
    with select.epoll() as epoll:
        epoll.register(roomy.fileno(), select.EPOLLOUT | select.EPOLLET)
        while epoll.poll(0.1):
            pass
        for _ in range(100):
            roomy.write(b"8 bytes.")
        assert drain_with().returned == 100
        assert epoll.poll(5)
        assert not epoll.poll(0.2)


@pytest.mark.parametrize(
    ("length", "published", "returned"),
    [
        (39, 48, 1),  # rounded up
        (39, 47, -errno.EINVAL),  # the producer position is no multiple of 8
        (8, 8, -errno.EINVAL),  # the sample ends behind the producer position
        (RING, RING + 8, -errno.E2BIG),  # larger than the ring
        (1 << 31 | 8, 16, 0),  # reserved
        (1 << 30 | 8, 16, 0),  # discarded
    ],
)
@pytest.mark.row("bpf_user_ringbuf_drain", "not a multiple of 8")
@pytest.mark.row("bpf_user_ringbuf_drain", "larger than the ring")
def test_headers_by_hand(
    *,
    helper: userrb.BpfObject,
    roomy: userrb.UserRingBuffer,
    drain_with: Drain,
    length: int,
    published: int,
    returned: int,
) -> None:
    """The kernel checks what user space wrote; what it refuses stays where it is."""
    with mmap.mmap(
        helper.maps["samples"].fileno(), mmap.PAGESIZE + RING, offset=mmap.PAGESIZE
    ) as m:
        struct.pack_into("=II", m, mmap.PAGESIZE, length, 0)
        struct.pack_into("=Q", m, 0, published)
        assert drain_with().returned == returned
        if returned < 0:
            assert drain_with().returned == returned
            assert roomy.consumer_position == 0


def test_an_error_hides_the_count(
    helper: userrb.BpfObject, roomy: userrb.UserRingBuffer, drain_with: Drain
) -> None:
    """Samples before one that is refused are delivered and gone, but not counted."""
    roomy.write(b"8 bytes.")
    roomy.write(b"8 bytes.")
    with mmap.mmap(
        helper.maps["samples"].fileno(), mmap.PAGESIZE + RING, offset=mmap.PAGESIZE
    ) as m:
        struct.pack_into("=II", m, mmap.PAGESIZE + 32, 100, 0)
        struct.pack_into("=Q", m, 0, 48)
        assert drain_with("drain").returned == -errno.EINVAL
        assert roomy.consumer_position == 32
        struct.pack_into("=II", m, mmap.PAGESIZE + 32, 8, 0)
        assert drain_with("drain").returned == 1


REFUSED = {
    "RETURNS_TWO": r"callback return.*R0 has",
    "RETURNS_MINUS_ONE": r"callback return.*R0 has",
    "RETURNS_ANYTHING": r"callback return.*R0 has",
    "WRITES_DYNPTR": r"invalid mem access 'dynptr_ptr'",
    "READS_DYNPTR": r"invalid mem access 'dynptr_ptr'",
    "MOVES_DYNPTR": r"dereference of modified dynptr_ptr ptr",
    "SUBMITS": r"cannot release unowned const bpf_dynptr",
    "DISCARDS": r"cannot release unowned const bpf_dynptr",
    "INITIALISES": r"Dynptr has to be an uninitialized dynptr",
    "PAST_THE_DATA": r"outside of the allowed memory range",
    "VARIABLE_LENGTH": r"R3 is not a known const",
    "UNCHECKED_DATA": r"invalid mem access 'mem_or_null'",
    "READS_CONTEXT": r"invalid mem access 'scalar'",
    "CONTEXT_IN_A_MAP": r"type=map_value expected=fp",
    "LOOKS_UP": r"invalid",
    "OUTPUTS": r"cannot pass map_type 31 into func bpf_ringbuf_output",
    "DRAINS_A_RINGBUF": r"cannot pass map_type 27 into func bpf_user_ringbuf_drain",
    "DRAINS_AN_ARRAY": r"cannot pass map_type 2 into func bpf_user_ringbuf_drain",
}


ELSEWHERE = {
    ("SUBMITS", "6.1"): r"arg 1 is an unacquired reference",
    ("SUBMITS", "7.3"): r"CONST_PTR_TO_DYNPTR cannot be released",
    ("DISCARDS", "6.1"): r"arg 1 is an unacquired reference",
    ("DISCARDS", "7.3"): r"CONST_PTR_TO_DYNPTR cannot be released",
    ("INITIALISES", "6.1"): None,
    ("VARIABLE_LENGTH", "7.3"): r"R3 is not a const",
}
"""What a kernel says instead; None if it does not refuse it."""
SERIES = ".".join(re.findall(r"\d+", os.uname().release)[:2])


def log_of(compile_bpf: Compile, case: str) -> str | None:
    """Returns the log of the verifier, None if it does not refuse the case."""
    try:
        userrb.BpfObject(compile_bpf("refusals", case)).close()
    except userrb.LoadError as error:
        return error.log
    return None


@pytest.mark.parametrize("case", REFUSED)
def test_the_verifier_refuses(compile_bpf: Compile, case: str) -> None:
    """Each case of refusals.bpf.c is refused, for the reason given; 6.1 takes one of them."""
    log, pattern = log_of(compile_bpf, case), ELSEWHERE.get((case, SERIES), REFUSED[case])
    assert (log is None) == (pattern is None)
    if log is not None and pattern is not None:
        assert re.search(pattern, log)


def test_the_page_quotes_the_log(compile_bpf: Compile) -> None:
    """Each line of a log on the helper's page is in the log of one of these cases."""
    logs = [log_of(compile_bpf, case) or "" for case in REFUSED]
    table = PAGE.read_text().partition("| the callback | the log |")[2].partition("\n\n")[0]
    rows = [line.split(" | ") for line in table.splitlines()[2:]]
    assert rows
    for _, here, elsewhere in rows:
        there = {k: v.rstrip(" |") for k, v in re.findall(r"(\d\.\d+): ([^;]+)", elsewhere)}
        said = there.get(SERIES, here)
        if quoted := re.findall(r"`(.+)`", said):
            assert any(quoted[0].removesuffix(" ...") in log for log in logs), said
        else:
            assert said == "is not refused"


@pytest.mark.parametrize("case", ["NONE", "RETURNS_ONE", "WRITES_SAMPLE"])
def test_the_verifier_accepts(compile_bpf: Compile, case: str) -> None:
    """What is refused above is refused for nothing else: these load."""
    userrb.BpfObject(compile_bpf("refusals", case)).close()


def test_the_cases_are_all_tested() -> None:
    """No case of refusals.bpf.c is forgotten."""
    source = (BPF / "refusals.bpf.c").read_text()
    cases = set(re.findall(r"defined\((\w+)\)", source))
    assert cases - set(REFUSED) == {"RETURNS_ONE", "WRITES_SAMPLE"}


def test_a_reserved_sample_ends_the_drain(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """What is before it is delivered and counted; it is no error."""
    libbpf.user_ring_buffer__submit(handle, libbpf.user_ring_buffer__reserve(handle, 8))
    assert libbpf.user_ring_buffer__reserve(handle, 8)
    assert drain() == 1
    assert drain() == 0

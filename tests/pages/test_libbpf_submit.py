"""What the page of user_ring_buffer__submit says of libbpf's own function."""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import userrb


@pytest.fixture
def digest(bpf: userrb.BpfObject) -> Callable[[], int]:
    """Drains; returns a number that content and order of the samples decide."""
    return lambda: bpf.programs["drain_digest"].test_run().retval


def store(sample: int, value: int) -> None:
    """Writes a value into a sample."""
    ctypes.c_uint64.from_address(sample).value = value


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_samples_come_in_the_order_of_their_reservation(
    libbpf: ctypes.CDLL, handle: int, digest: Callable[[], int], order: tuple[int, ...]
) -> None:
    """F7: whatever order they are submitted in."""
    samples = [libbpf.user_ring_buffer__reserve(handle, 8) for _ in range(3)]
    for index in order:
        store(samples[index], index + 1)
        libbpf.user_ring_buffer__submit(handle, samples[index])
    assert digest() == (1 * 31 + 2) * 31 + 3


def test_a_reserved_sample_holds_up_those_behind_it(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """F7: one submitted behind one still reserved is not delivered, until that one is."""
    first, second = (libbpf.user_ring_buffer__reserve(handle, 8) for _ in range(2))
    libbpf.user_ring_buffer__submit(handle, second)
    assert drain() == 0
    libbpf.user_ring_buffer__submit(handle, first)
    assert drain() == 2


def test_submitting_runs_nothing_in_the_kernel(
    libbpf: ctypes.CDLL, ring: userrb.UserRingBuffer, handle: int, drain: Callable[[], int]
) -> None:
    """A submitted sample waits for a drain."""
    libbpf.user_ring_buffer__submit(handle, libbpf.user_ring_buffer__reserve(handle, 8))
    assert ring.consumer_position == 0
    drain()
    assert ring.consumer_position == 16


def test_the_memory_stays_writable(
    libbpf: ctypes.CDLL, handle: int, digest: Callable[[], int]
) -> None:
    """What is written after the submit, and before the drain, is what the kernel reads."""
    sample = libbpf.user_ring_buffer__reserve(handle, 8)
    store(sample, 5)
    libbpf.user_ring_buffer__submit(handle, sample)
    store(sample, 6)
    assert digest() == 6


def test_the_room_comes_back_with_the_drain(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """A submitted sample takes its room until it is drained."""
    libbpf.user_ring_buffer__submit(handle, libbpf.user_ring_buffer__reserve(handle, 4088))
    assert libbpf.user_ring_buffer__reserve(handle, 0) is None
    assert drain() == 1
    assert libbpf.user_ring_buffer__reserve(handle, 4088)


def test_submitting_twice(libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]) -> None:
    """Submitting twice before the drain is one sample: libbpf does not notice."""
    sample = libbpf.user_ring_buffer__reserve(handle, 8)
    libbpf.user_ring_buffer__submit(handle, sample)
    libbpf.user_ring_buffer__submit(handle, sample)
    assert drain() == 1
    libbpf.user_ring_buffer__submit(handle, sample)
    assert drain() == 0


def test_submitting_late_delivers_another_sample(
    libbpf: ctypes.CDLL, handle: int, drain: Callable[[], int]
) -> None:
    """A late second submit delivers a sample that somebody else has just reserved there."""
    sample = libbpf.user_ring_buffer__reserve(handle, 4088)
    libbpf.user_ring_buffer__submit(handle, sample)
    assert drain() == 1
    assert libbpf.user_ring_buffer__reserve(handle, 4088) == sample
    libbpf.user_ring_buffer__submit(handle, sample)  # meant for the first
    assert drain() == 1


def test_threads_may_submit_at_once(
    libbpf: ctypes.CDLL, compile_bpf: Callable[[str], Path]
) -> None:
    """Samples that another thread reserved, submitted and discarded by four threads."""
    with userrb.BpfObject(compile_bpf("helper")) as bpf:
        handle = libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None)
        samples = [libbpf.user_ring_buffer__reserve(handle, 8) for _ in range(40_000)]

        def finish(mine: list[int]) -> None:
            for submitted, discarded in zip(mine[::2], mine[1::2], strict=True):
                libbpf.user_ring_buffer__submit(handle, submitted)
                libbpf.user_ring_buffer__discard(handle, discarded)

        threads = [threading.Thread(target=finish, args=(samples[n::4],)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answer = bpf.programs["drain"].test_run(ctx=bytes(24)).ctx
        assert struct.unpack("=Qqq", answer)[1] == 20_000
        libbpf.user_ring_buffer__free(handle)


def test_it_is_no_system_call(libbpf: ctypes.CDLL, compile_bpf: Callable[[str], Path]) -> None:
    """Nor are reserve and discard: a thousand rounds make none to speak of."""
    with userrb.BpfObject(compile_bpf("helper")) as bpf:
        handle = libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None)
        key = bytes(4)

        def system_calls() -> int:
            value = bpf.maps["calls"].lookup(key)
            assert value
            return int(struct.unpack("=Q", value)[0])

        with bpf.programs["on_system_call"].attach():
            bpf.programs["count_me"].test_run()
            before = system_calls()
            os.getppid()
            assert system_calls() > before  # it counts
            before = system_calls()
            for finish in (libbpf.user_ring_buffer__submit, libbpf.user_ring_buffer__discard) * 500:
                finish(handle, libbpf.user_ring_buffer__reserve(handle, 8))
            assert system_calls() - before < 500
        libbpf.user_ring_buffer__free(handle)

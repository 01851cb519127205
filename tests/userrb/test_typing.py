"""Sample uses as a type checker sees them: mypy --strict checks this file, pytest runs it."""

from __future__ import annotations

import array
import asyncio
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, assert_type

import numpy as np
import pytest

import userrb


def test_types_of_a_producer(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """Every call has the type that its documentation says."""
    assert_type(bpf.maps, Mapping[str, userrb.BpfMap])
    assert_type(bpf.programs["drain"].test_run(), userrb.TestRun)
    assert_type(bpf.programs["drain"].test_run().retval, int)
    assert_type(bpf.structs["event"].size, int)
    assert_type(ring.size, int)

    sample = ring.reserve_blocking(16, timeout_ms=1000)
    assert_type(sample, userrb.Sample)
    assert_type(sample[0], int)
    assert_type(sample[0:4], bytes)
    sample[:] = struct.pack("=QQ", 1, 2)
    sample[0] = 1
    ring.submit(sample)
    with ring.reserve(8) as entered:
        assert_type(entered, userrb.Sample)
        memoryview(entered)[:4] = b"1234"
        assert_type(entered.state, Literal["reserved", "submitted", "discarded"])
        np.frombuffer(entered, dtype=np.uint8)[:] = 1
    ring.reserve(8).submit()
    ring.reserve(8).discard()
    assert_type(ring.free, int)
    for data in (b"1", bytearray(b"2"), memoryview(b"3"), array.array("Q", [4]), np.zeros(1)):
        ring.write(data)
    assert_type(ring.submit_many(np.zeros(2, dtype=np.uint64), timeout_ms=0), int)
    assert_type(ring.submit_many(b"ab", offsets=np.array([0, 1, 2], dtype=np.int32)), int)
    assert_type(asyncio.run(ring.submit_many_async(b"12345678", size=8)), int)


def test_types_of_opening(bpf: userrb.BpfObject, tmp_path: Path) -> None:
    """A ring opens from a map, a descriptor or a path, and from nothing else."""
    with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
        assert_type(ring, userrb.UserRingBuffer)
        userrb.UserRingBuffer(ring.fileno()).close()
        userrb.UserRingBuffer(ring).close()
    with pytest.raises(userrb.ObjectNotFound):
        userrb.UserRingBuffer(tmp_path / "pin")
    with pytest.raises(TypeError):
        userrb.UserRingBuffer(None)  # type: ignore[arg-type]


def test_types_of_errors(ring: userrb.UserRingBuffer) -> None:
    """An exception is caught as the package's own, or as Python's."""
    errors: list[type[userrb.Error]] = [userrb.RingFull, userrb.RingClosed, userrb.SampleError]
    assert all(issubclass(error, userrb.Error) for error in errors)
    with pytest.raises(OSError, match="4088") as caught:
        ring.reserve(1 << 20)
    assert isinstance(caught.value, userrb.BpfError)
    assert_type(caught.value.log, str)

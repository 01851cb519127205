"""The Python loops that are measured, written as a user writes them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import userrb

PACK_INTO = struct.Struct("=Q").pack_into


class Short(AssertionError):
    """A batch found less room than it was given."""


def write(ring: userrb.UserRingBuffer, records: Iterable[bytes | memoryview]) -> None:
    """Reserve, copy and submit in one call."""
    for record in records:
        ring.write(record)


def fill(ring: userrb.UserRingBuffer, records: Iterable[bytes]) -> None:
    """Reserve, store bytes into the ring, submit."""
    for record in records:
        sample = ring.reserve(8)
        sample[:] = record
        ring.submit(sample)


def pack(ring: userrb.UserRingBuffer, values: Iterable[int]) -> None:
    """Reserve, pack a number straight into the ring, submit."""
    for value in values:
        sample = ring.reserve(8)
        PACK_INTO(sample, 0, value)
        ring.submit(sample)


def with_form(ring: userrb.UserRingBuffer, records: Iterable[bytes]) -> None:
    """Reserve, store, and submit at the end of a `with` block."""
    for record in records:
        with ring.reserve(8) as sample:
            sample[:] = record


def fill_packed(ring: userrb.UserRingBuffer, parts: Iterable[memoryview]) -> None:
    """Do the same with a sample as large as the part that goes into it."""
    for part in parts:
        with ring.reserve(part.nbytes) as sample:
            sample[:] = part


def batches(ring: userrb.UserRingBuffer, parts: Iterable[memoryview]) -> None:
    """One submit_many a part, whose item is the record."""
    for part in parts:
        if ring.submit_many(part) != len(part):
            raise Short("submit_many")

"""`python -m userrb positions`: what a map holds, and what a killed process left reserved in it.

A sample that is reserved stops the drain. If its process was killed, nobody will submit it, and the
map is blocked for good, for every producer. userrb's producers write their process into the half of
the header that the kernel does not read (`csrc/owner.c`).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from userrb._core import map_by_id
from userrb.errors import Error
from userrb.ring import UserRingBuffer

BUSY, DISCARDED = 1 << 31, 1 << 30
HEADER = struct.Struct("=II")
PID_BITS = 22
LOOKS = 100


class Reserved(NamedTuple):
    """A sample that is reserved, and neither submitted nor discarded."""

    position: int
    header: int
    owner: int

    @property
    def size(self) -> int:
        """Bytes of the sample."""
        return self.header & ~(BUSY | DISCARDED)


class Owner(NamedTuple):
    """What is known of the process that has reserved a sample."""

    text: str
    gone: bool = False
    runs: bool = False


def find_reserved(ring: UserRingBuffer) -> list[Reserved]:
    """Return what is reserved, the sample that stops the drain first.

    Raises:
        Error: Somebody drains all the time, so that nothing can be blocked; or the headers make no
            sense, as after producers that use libbpf without a lock.
    """
    for _ in range(LOOKS):
        first, end = ring.consumer_position, ring.producer_position
        length = 2 * ring.size
        with mmap.mmap(
            ring.fileno(), mmap.PAGESIZE + length, prot=mmap.PROT_READ, offset=mmap.PAGESIZE
        ) as memory:
            begin = mmap.PAGESIZE + first % ring.size
            content = memory[begin : begin + end - first]
        if ring.consumer_position == first:
            return list_reserved(content, first)
    raise Error("the map is being drained all the time: nothing blocks it")


def list_reserved(content: bytes, first: int) -> list[Reserved]:
    """Return what is reserved in the part that was not drained, which begins at `first`."""
    found = []
    at = 0
    while at < len(content):
        header, owner = HEADER.unpack_from(content, at)
        sample = Reserved(first + at, header, owner)
        if header & BUSY:
            found.append(sample)
        at += (HEADER.size + sample.size + 7) & ~7
        if at > len(content):
            raise Error(f"the header at {sample.position} is invalid: its sample is too long")
    return found


def find_owner(word: int) -> Owner:
    """Say who has reserved a sample, by the second word of its header."""
    pid, namespace = word & ((1 << PID_BITS) - 1), word >> PID_BITS
    if not pid:
        return Owner("an unknown process (one that uses libbpf itself, for example)")
    # The rest of the namespace's number has no room in the header.
    if namespace != Path("/proc/self/ns/pid").stat().st_ino & 0x3FF:
        return Owner(f"process {pid} of another container (PID namespace)")
    try:
        name, _, state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return Owner(f"process {pid}, which is gone", gone=True)
    if state.split()[0] in "ZX":
        return Owner(f"process {pid}, which is gone", gone=True)
    return Owner(f"process {pid} ({name.partition('(')[2]}), which runs", runs=True)


def open_ring(name: str) -> UserRingBuffer:
    """Open the map with an id or at a path."""
    if not name.isdecimal():
        return UserRingBuffer(name)
    fd = map_by_id(int(name))
    try:
        return UserRingBuffer(fd)
    finally:
        os.close(fd)


def agree(question: str) -> bool:
    """Ask; whatever is not a yes is a no."""
    with contextlib.suppress(EOFError):
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    print()
    return False


def discard(ring: UserRingBuffer, sample: Reserved, owner: Owner, yes: bool) -> None:
    """Discard a sample, after asking, unless its process may still write to it."""
    if owner.runs:
        print("  kept: that process may still submit or discard it")
        return
    doubt = "" if owner.gone else "Are you sure that this process is gone? "
    if not (yes and owner.gone) and not agree(f"  {doubt}Discard it?"):
        return
    done = ring._discard_at(sample.position, sample.header)
    print("  discarded" if done else "  not discarded: it was just submitted or discarded")


def main(name: str, discarding: bool, yes: bool) -> int:
    """Show a map's positions and what is reserved, and discard it if wanted; the exit status."""
    try:
        with open_ring(name) as ring:
            first, end = ring.consumer_position, ring.producer_position
            print(f"{ring.size} bytes, {ring.free} free: drained to {first}, reserved to {end}")
            reserved = find_reserved(ring)
            for sample in reserved:
                owner = find_owner(sample.owner)
                print(f"at {sample.position}: {sample.size} bytes, reserved by {owner.text}")
                if discarding:
                    discard(ring, sample, owner, yes)
            if not reserved:
                print("no sample is reserved: nothing blocks the map")
    except Error as error:
        print(f"userrb positions: {error}", file=sys.stderr)
        return 1
    return 0

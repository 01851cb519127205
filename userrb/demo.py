"""`python -m userrb demo`: samples to a BPF program in this machine's kernel, with figures."""

from __future__ import annotations

import array
import os
import platform
import struct
import sys
import threading
import time
from pathlib import Path

from userrb._libbpf import ffi, lib
from userrb.errors import BpfError, NotPermitted, RingFull
from userrb.object import BpfObject
from userrb.program import BpfProgram
from userrb.ring import UserRingBuffer

OBJECT = Path(__file__).with_name("demo.bpf.o")
"""Made from `demo.bpf.c`, which ships beside it."""

PATIENCE_MS = 100
"""How long the demo waits for room that does not come, and for room that does."""


class CannotRun(Exception):
    """The demo cannot run here; the message is one sentence for the user."""


class Tally:
    """Counts what was sent and what the kernel took, and prints the lines."""

    def __init__(self, ring: UserRingBuffer, program: BpfProgram) -> None:
        self.ring = ring
        self.program = program
        self.sent = 0
        self.taken = 0

    def say(self, call: str, words: str) -> None:
        """Print one step."""
        print(f"{call:<18}{words}")

    def next(self) -> bytes:
        """Return the next sample's content: its number, from 1 on."""
        self.sent += 1
        return struct.pack("=Q", self.sent)

    def reserve(self) -> None:
        """Send one sample that is filled in place."""
        with self.ring.reserve(8) as sample:
            sample[:] = self.next()
        self.say("reserve", f"sample {self.sent}: filled in place, then submitted")

    def write(self) -> None:
        """Send one sample that is copied."""
        self.ring.write(self.next())
        self.say("write", f"sample {self.sent}: reserved, copied and submitted in one call")

    def fill(self) -> None:
        """Send as many samples as have room."""
        first = self.sent + 1
        numbers = array.array("Q", range(first, first + self.ring.size // 16 + 1))
        start = time.perf_counter_ns()
        sent = self.ring.submit_many(numbers)
        each = (time.perf_counter_ns() - start) / sent
        self.sent += sent
        self.say(
            "submit_many",
            f"samples {first:,} to {self.sent:,}: published at once, {each:.1f} ns a sample",
        )

    def meet_full_ring(self) -> None:
        """Show what a full ring does to a call that does not wait, and to one that does."""
        try:
            self.ring.reserve(8)
        except RingFull:
            self.say("reserve", "RingFull: no room for one more, and the call does not wait")
        start, cpu = time.perf_counter(), time.thread_time()
        try:
            self.ring.reserve_blocking(8, PATIENCE_MS)
        except RingFull:
            waited, used = time.perf_counter() - start, time.thread_time() - cpu
            self.say(
                "reserve_blocking",
                f"RingFull after {waited * 1e3:.0f} ms of waiting, which took "
                f"{used * 1e3:.1f} ms of processor time",
            )

    def drain(self) -> None:
        """Run the BPF program, which takes all samples and looks at their numbers.

        Raises:
            CannotRun: A sample was missing, came twice or out of order.
        """
        start = time.perf_counter_ns()
        taken = self.program.test_run().retval
        elapsed = time.perf_counter_ns() - start
        if taken < 0:
            raise CannotRun(f"the BPF program found a wrong number: it returned {taken}")
        self.taken += taken
        if taken == 1:  # the other thread's drain had the rest
            self.say("drain", "the BPF program took 1 sample")
        elif taken:
            each = elapsed / taken
            self.say("drain", f"the BPF program took {taken:,} samples, {each:.0f} ns a sample")

    def wait_for_room(self) -> None:
        """Wait on a full ring that another thread has drained after a while."""
        drainer = threading.Timer(PATIENCE_MS / 1e3, self.drain)
        drainer.start()
        start = time.perf_counter()
        try:
            with self.ring.reserve_blocking(8, timeout_ms=100 * PATIENCE_MS) as sample:
                waited = time.perf_counter() - start
                sample[:] = self.next()
        finally:
            drainer.join()
        self.say(
            "reserve_blocking",
            f"sample {self.sent:,}: waited {waited * 1e3:.0f} ms, until another thread drained",
        )


def load() -> BpfObject:
    """Load the object that ships with the package.

    Raises:
        CannotRun: It is for another kind of machine.
        BpfError: The kernel refused it.
    """
    if sys.byteorder != "little":
        raise CannotRun(
            "the BPF object that ships with the package is for little-endian machines, and this "
            "one is big-endian; the package itself works here, with BPF objects of your own"
        )
    return BpfObject(OBJECT)


def sentence(error: BpfError) -> str:
    """Return what happened, and what to do about it, for somebody who knows neither."""
    if isinstance(error, NotPermitted) and os.geteuid() != 0:
        return (
            "this user may not load BPF programs; run it as root: "
            f"sudo {sys.executable} -m userrb demo"
        )
    words = str(error.strerror).replace(str(OBJECT), OBJECT.name)
    return f"{words}; what this machine lacks: python -m userrb doctor"


def demonstrate() -> None:
    """Send samples in every way, meets a full ring, drains it, and prints what happened.

    Raises:
        CannotRun: The object is for another kind of machine, or samples were lost.
        BpfError: The kernel refused a call.
    """
    with load() as bpf, UserRingBuffer(bpf.maps["samples"]) as ring:
        machine = f"Linux {os.uname().release}, {platform.machine()}"
        version = ffi.string(lib.libbpf_version_string()).decode().removeprefix("v")
        print(f"{machine}; libbpf {version}; Python {platform.python_version()}")
        room = f"room for {ring.size // 16:,} samples of 8 bytes"
        print(f"A ring of {ring.size:,} bytes: {room}, each with a header of 8.\n")
        tally = Tally(ring, bpf.programs["drain"])
        tally.reserve()
        tally.write()
        tally.fill()
        tally.meet_full_ring()
        tally.drain()
        tally.fill()
        tally.wait_for_room()
        tally.drain()
        if tally.sent != tally.taken:
            raise CannotRun(f"{tally.sent:,} samples were sent, but {tally.taken:,} arrived")
        print(f"\n{tally.sent:,} samples sent, {tally.taken:,} taken by the kernel, in order.")


def main() -> int:
    """Run the demo; return the exit status."""
    try:
        demonstrate()
    except BpfError as error:
        print(f"userrb demo: {sentence(error)}", file=sys.stderr)
    except CannotRun as error:
        print(f"userrb demo: {error}", file=sys.stderr)
    else:
        return 0
    return 1

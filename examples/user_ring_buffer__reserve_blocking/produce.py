# SPDX-License-Identifier: 0BSD
import errno
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import userrb

SIZE = 1016  # and 8 bytes of header: four samples fill 4096 bytes


def drain(program, delay=0):
    """Runs the BPF program once: it takes every sample submitted, and adds up the values."""
    time.sleep(delay)
    return program.test_run().retval


def produce(ring, size, timeout_ms, value):
    """Reserves a sample, writes a value into it and submits it; says whether that took a wait."""
    start = time.monotonic()
    try:
        sample = ring.reserve_blocking(size, timeout_ms)
        error, result = 0, "a sample"
    except userrb.BpfError as refused:
        error, result = refused.errno, errno.errorcode[refused.errno]
    when = "at once" if time.monotonic() - start < 0.1 else "after a wait"
    print(f"{size} bytes, timeout {timeout_ms} ms: {result} {when}")
    if not error:
        struct.pack_into("=Q", sample, 0, value)
        ring.submit(sample)
    return error


with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    program = bpf.programs["drain"]

    print("-- until the ring is full, without blocking")
    value = 1
    while produce(ring, SIZE, 0, value) == 0:
        value += 1
    print("-- nobody drains: the time runs out")
    produce(ring, SIZE, 500, value)
    print("-- another thread drains after 0.2 s")
    with ThreadPoolExecutor() as pool:
        total = pool.submit(drain, program, delay=0.2)
        produce(ring, SIZE, -1, value)
    print(f"drained then: {total.result()}, drained now: {drain(program)}")
    print("-- what can never succeed fails at once")
    produce(ring, SIZE, -2, value)
    produce(ring, 4096, -1, value)

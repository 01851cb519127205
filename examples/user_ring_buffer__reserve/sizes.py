# SPDX-License-Identifier: 0BSD
import errno

import userrb


def produce(ring, size):
    """Reserves a sample and submits it as it is; says what happened."""
    try:
        ring.submit(ring.reserve(size))
        print(f"{size:4} bytes: a sample")
    except userrb.BpfError as refused:  # RingFull or SampleTooLarge
        print(f"{size:4} bytes: {errno.errorcode[refused.errno]}")


with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    print("-- what a sample takes")
    for size in 0, 1, 8, 9:
        before = ring.producer_position
        ring.submit(ring.reserve(size))
        print(f"{size:4} bytes: {ring.producer_position - before} of the ring")
        ring.submit(ring.reserve(0))
    print("-- no room now, or never")
    produce(ring, 4088)
    produce(ring, 4089)
    print(f"-- {bpf.programs['drain'].test_run().retval} drained: the ring is empty")
    produce(ring, 4089)
    produce(ring, 4088)
    produce(ring, 0)

# SPDX-License-Identifier: 0BSD
from concurrent.futures import ThreadPoolExecutor

import userrb


def produce(ring):
    """Runs in two threads at once."""
    for _ in range(20_000):
        ring.write(b"8 bytes.")


with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    with ThreadPoolExecutor() as pool:
        list(pool.map(produce, [ring, ring]))
    print("drained:", bpf.programs["drain"].test_run().retval)

# SPDX-License-Identifier: 0BSD
import os

import userrb

with userrb.BpfObject("drain.bpf.o") as bpf:
    samples = bpf.maps["samples"]
    with userrb.UserRingBuffer(samples) as ring, userrb.UserRingBuffer(samples) as other:
        child = os.fork()
        for _ in range(10_000):
            ring.write(b"8 bytes.")
            other.write(b"8 bytes.")
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        print("drained:", bpf.programs["drain"].test_run().retval)

# SPDX-License-Identifier: 0BSD
import struct

import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    samples = {value: ring.reserve(4) for value in range(1, 7)}
    print("-- reserved:", *samples)
    for value in 1, 4, 3, 2, 6, 5:
        struct.pack_into("=I", samples[value], 0, value)
        ring.submit(samples[value])
        print(f"submitted {value}, then drained: {bpf.programs['drain'].test_run().retval}")

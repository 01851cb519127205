# SPDX-License-Identifier: 0BSD
import array
import struct

import userrb

with userrb.BpfObject("sum.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    ring.write(struct.pack("=Q", 1))  # reserve, copy and submit in one call

    with ring.reserve(8) as sample:  # the ring's own memory, submitted at the end
        sample[:] = struct.pack("=Q", 10)

    ring.submit_many(array.array("Q", [100, 1000]))  # a batch, published at once

    print("The kernel's sum:", bpf.programs["drain"].test_run().retval)

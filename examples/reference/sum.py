# SPDX-License-Identifier: 0BSD
import struct

import userrb

with userrb.BpfObject("sum.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    print("ring of", ring.size, "bytes")
    ring.write(struct.pack("=Q", 40))
    with ring.reserve_blocking(8, timeout_ms=1000) as sample:  # waits for room, without spinning
        sample[:] = struct.pack("=Q", 2)

    try:
        ring.reserve(ring.size - 8)  # fits only into an empty ring
    except userrb.RingFull as error:
        print("full:", type(error).__name__)

    print("the kernel's sum:", bpf.programs["drain"].test_run().retval)
    print("the ring is empty:", ring.consumer_position == ring.producer_position)

# SPDX-License-Identifier: 0BSD
import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    for size in (2**24 - 1, 2**24):
        try:
            ring.discard(ring.reserve(size))
        except userrb.SampleTooLarge:
            print(size, "bytes: SampleTooLarge, nothing reserved")
    ring.write(b"8 bytes.")
    print("drained:", bpf.programs["drain"].test_run().retval)

# SPDX-License-Identifier: 0BSD
import userrb

with userrb.BpfObject("drain.bpf.o") as bpf:
    ring = userrb.UserRingBuffer(bpf.maps["samples"])
    sample = ring.reserve(8)
    ring.close()  # discards it

    with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
        ring.write(b"8 bytes.")
        print("drained:", bpf.programs["drain"].test_run().retval)

# SPDX-License-Identifier: 0BSD
import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    print("size of the ring:", ring.size)

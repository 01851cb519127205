# SPDX-License-Identifier: 0BSD
import struct

import userrb

with userrb.BpfObject("sum.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["numbers"]) as ring:
    for number in (1, 10, 100):
        ring.write(struct.pack("=I", number))
    print("The kernel's sum:", bpf.programs["sum"].test_run().retval)

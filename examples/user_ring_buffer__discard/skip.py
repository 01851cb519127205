# SPDX-License-Identifier: 0BSD
import struct

import userrb


def drain(program):
    """Runs the BPF program once, and says what it answers."""
    returned, digits = struct.unpack("=iI", program.test_run(ctx=bytes(8)).ctx)
    print(f"the drain returned {returned}, the callback saw {digits}")


with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    print("-- of 1 2 3, the 2 is discarded")
    for value in 1, 2, 3:
        sample = ring.reserve(4)
        struct.pack_into("=I", sample, 0, value)
        if value == 2:
            ring.discard(sample)
        else:
            ring.submit(sample)
    drain(bpf.programs["drain"])
    print("-- discarded until nothing is left")
    discarded = 0
    try:
        while True:
            ring.discard(ring.reserve(1016))
            discarded += 1
    except userrb.RingFull:
        print(f"{discarded} discarded, then ENOSPC")
    drain(bpf.programs["drain"])
    ring.discard(ring.reserve(4088))
    print("the whole ring is free")

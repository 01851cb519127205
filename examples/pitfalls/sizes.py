# SPDX-License-Identifier: 0BSD
import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    print("the ring:", ring.size, "bytes")
    for size in (ring.size, ring.size - 7, ring.size - 8, 1, 0):
        before = ring.producer_position
        try:
            ring.write(bytes(size))
        except userrb.SampleTooLarge as error:
            print(f"a sample of {size}: {type(error).__name__}, errno {error.errno}")
            continue
        print(f"a sample of {size}: takes {ring.producer_position - before}")
        bpf.programs["drain"].test_run()

# SPDX-License-Identifier: 0BSD
import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    drain = bpf.programs["drain"]

    print("submitted:", ring.submit_many(bytes(8 * 262_144), size=8))
    print("one run drained:", drain.test_run().retval)
    print("left:", (ring.producer_position - ring.consumer_position) // 16)

    runs = 0
    while ring.consumer_position < ring.producer_position:
        drain.test_run()
        runs += 1
    print("runs until none was left:", runs)

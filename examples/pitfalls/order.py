# SPDX-License-Identifier: 0BSD
import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    drain = bpf.programs["drain"]

    first, second = ring.reserve(8), ring.reserve(8)
    ring.submit(second)
    print("the second submitted:", drain.test_run().retval)
    ring.submit(first)
    print("the first submitted too:", drain.test_run().retval)

    try:
        with ring.reserve(8) as sample:
            sample[:] = "no bytes".encode("utf-16")
    except ValueError:
        print("writing failed, so the sample was discarded")
    ring.write(b"8 bytes.")
    print("the next one submitted:", drain.test_run().retval)

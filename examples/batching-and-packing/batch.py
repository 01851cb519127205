# SPDX-License-Identifier: 0BSD
import array
import time

import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:

    def drain():
        """Returns how many samples the BPF program took."""
        return bpf.programs["drain"].test_run().retval

    print("items of an array:", ring.submit_many(array.array("Q", [10, 20, 30])))
    print("4 bytes each:", ring.submit_many(b"one.two.", size=4))
    ends = array.array("i", [0, 1, 4, 4, 11])
    print("by offsets:", ring.submit_many(b"athe longer", offsets=ends))
    print("drained:", drain())

    records = array.array("Q", range(100_000))
    done = 0
    while done < len(records):
        found_room = ring.submit_many(records, start=done)
        done += found_room
        print(f"found room: {found_room}, drained: {drain()}")

    def one_by_one():
        """Writes 10,000 samples."""
        for _ in range(10_000):
            ring.write(b"8 bytes.")

    def at_once():
        """Submits the same in one call."""
        ring.submit_many(b"8 bytes." * 10_000, size=8)

    def fastest(call):
        """Returns the shortest of five times."""
        times = []
        for _ in range(5):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
            drain()
        return min(times)

    ratio = fastest(one_by_one) / fastest(at_once)
    print("submit_many took less than a fifth of the time:", "yes" if ratio > 5 else "no")

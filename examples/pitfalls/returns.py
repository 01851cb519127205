# SPDX-License-Identifier: 0BSD
import errno

import userrb

with userrb.BpfObject("returns.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:

    def run(name):
        """Runs a program once; prints what the helper returned."""
        number = bpf.programs[name].test_run().retval
        print(f"{name}: {number if number >= 0 else '-' + errno.errorcode[-number]}")

    for _ in range(3):
        ring.write(b"8 bytes.")
        ring.discard(ring.reserve(8))
    run("drain_with_a_bad_flag")
    run("drain_one")
    run("drain")
    run("drain")
    ring.write(b"8 bytes.")
    run("drain_twice")

# SPDX-License-Identifier: 0BSD
import struct
import subprocess

import userrb


def print_total(when, total):
    """Reads what the attached program has added up."""
    (value,) = struct.unpack("=Q", total.lookup(struct.pack("=I", 0)))
    print(f"{when}: {value}")


with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    bpf.programs["watch_me"].test_run()
    with bpf.programs["on_new_task"].attach():
        for value in 1, 2, 3:
            ring.write(struct.pack("=Q", value))
        print_total("submitted 1, 2 and 3", bpf.maps["total"])
        subprocess.run(["true"], check=True)
        print_total("made a process", bpf.maps["total"])

# SPDX-License-Identifier: 0BSD
import errno
import os
import subprocess
import sys
from pathlib import Path

import userrb


def open_ring(what, map_or_path):
    """Opens a ring and says how that went."""
    try:
        ring = userrb.UserRingBuffer(map_or_path)
    except userrb.BpfError as refused:
        print(f"{what}: {errno.errorcode[refused.errno]}")
        return None
    print(f"{what}: a ring")
    return ring


sys.stdout.reconfigure(line_buffering=True)  # two processes write to it
if len(sys.argv) > 1:  # the other process: it knows the path and nothing else
    with open_ring("the pinned map, in another process", sys.argv[1]) as ring:
        ring.write(b"8 bytes.")
    sys.exit()

with userrb.BpfObject("drain.bpf.o") as bpf:
    open_ring("an array map", bpf.maps["numbers"])
    open_ring("standard output", sys.stdout)
    first = open_ring("a user ring buffer", bpf.maps["samples"])
    second = open_ring("the same once more", bpf.maps["samples"])
    for ring in first, second:
        ring.write(b"8 bytes.")
        ring.close()
    print("drained:", bpf.programs["drain"].test_run().retval)

    path = f"/sys/fs/bpf/samples-{os.getpid()}"
    bpf.maps["samples"].pin(path)
    try:
        subprocess.run([sys.executable, __file__, path], check=True)
    finally:
        Path(path).unlink()
    print("drained:", bpf.programs["drain"].test_run().retval)

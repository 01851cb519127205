# SPDX-License-Identifier: 0BSD
import threading
import time

import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    for _ in range(4):
        ring.write(bytes(1016))
    start = time.monotonic()
    drain = threading.Timer(0.1, bpf.programs["drain"].test_run)
    drain.start()
    ring.write(bytes(1016), timeout_ms=5000)
    early = time.monotonic() - start < 2.5
    print("room after 0.1 s: written,", "long before" if early else "when", "the 5 s were over")
    drain.join()

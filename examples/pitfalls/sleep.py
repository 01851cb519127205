# SPDX-License-Identifier: 0BSD
import time

import userrb

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    for _ in range(3):
        ring.write(bytes(1016))
    used = time.thread_time()
    try:
        ring.reserve_blocking(1024, timeout_ms=300)
    except userrb.RingFull:
        used = time.thread_time() - used
        print("1024 bytes free, 1032 needed: no room, slept:", "yes" if used < 0.15 else "no")

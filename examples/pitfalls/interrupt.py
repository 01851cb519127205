# SPDX-License-Identifier: 0BSD
import os
import signal
import threading

import userrb

signal.signal(signal.SIGINT, signal.default_int_handler)

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    for _ in range(3):
        ring.write(bytes(1016))
    ctrl_c = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    ctrl_c.start()
    try:
        ring.reserve_blocking(1024, timeout_ms=5000)
    except KeyboardInterrupt:
        print("partly full: KeyboardInterrupt")
    except userrb.RingFull:
        print("partly full: the time was over")

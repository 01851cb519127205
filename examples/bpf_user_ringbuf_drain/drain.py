# SPDX-License-Identifier: 0BSD
import select
import struct

import userrb

BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP = 1, 2


def drain(program, flags=0):
    """Runs the BPF program once, with these flags, and says what it answers."""
    call = program.test_run(ctx=struct.pack("=QqQ", flags, 0, 0)).ctx
    print("flags {}: returned {}, sum {}".format(*struct.unpack("=QqQ", call)))


with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    program = bpf.programs["drain"]

    print("-- 10, a short one, 20 with a stop, 30")
    ring.write(struct.pack("=QQ", 10, 0))
    ring.write(struct.pack("=Q", 99))
    ring.write(struct.pack("=QQ", 20, 1))
    ring.write(struct.pack("=QQ", 30, 0))
    drain(program)
    drain(program)
    drain(program)
    print("-- an unknown flag")
    drain(program, 4)
    print("-- which flags wake a producer")
    with select.epoll() as epoll:
        epoll.register(ring.fileno(), select.EPOLLOUT | select.EPOLLET)
        while epoll.poll(0.1):
            pass  # what was before
        drain(program)
        print("  woken" if epoll.poll(0.1) else "  not woken")
        drain(program, BPF_RB_FORCE_WAKEUP)
        print("  woken" if epoll.poll(10) else "  not woken")
        ring.write(struct.pack("=QQ", 40, 0))
        drain(program, BPF_RB_NO_WAKEUP)
        print("  woken" if epoll.poll(0.1) else "  not woken")
        ring.write(struct.pack("=QQ", 50, 0))
        drain(program)
        print("  woken" if epoll.poll(10) else "  not woken")

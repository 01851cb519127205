# SPDX-License-Identifier: 0BSD
import mmap
import os
import struct

import userrb

BUSY, DISCARD = 1 << 31, 1 << 30


def leave(map_, killed):
    """Reserves a sample, submits one behind it, and closes the ring; or dies before, in a child."""
    if killed and (child := os.fork()):
        os.waitpid(child, 0)
        return
    ring = userrb.UserRingBuffer(map_)
    first = ring.reserve(8)
    ring.write(b"8 bytes.")
    if killed:
        os._exit(0)  # as SIGKILL would: `first` stays reserved
    ring.discard(first)
    ring.close()


def repair(map_, ring):
    """Discards the sample that the next drain would look at; no handle has it any more."""
    page = mmap.PAGESIZE
    with mmap.mmap(map_.fileno(), page + 4096, offset=page) as producer:
        at = page + ring.consumer_position % 4096
        (header,) = struct.unpack_from("=I", producer, at)
        struct.pack_into("=I", producer, at, header & ~BUSY | DISCARD)


with userrb.BpfObject("drain.bpf.o") as bpf:
    samples, drain = bpf.maps["samples"], bpf.programs["drain"].test_run

    leave(samples, killed=False)
    print("discarded, then freed: drained", drain().retval)
    leave(samples, killed=True)
    print("freed while reserved: drained", drain().retval)

    with userrb.UserRingBuffer(samples) as ring:
        ring.write(b"8 bytes.")
        print("one more, with a new ring: drained", drain().retval)
        repair(samples, ring)
        print("after the repair: drained", drain().retval)

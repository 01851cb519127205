# SPDX-License-Identifier: 0BSD
import mmap
import struct

import userrb

PAGE = mmap.PAGESIZE
BUSY, DISCARD = 1 << 31, 1 << 30

with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    consumer = mmap.mmap(ring.fileno(), PAGE, prot=mmap.PROT_READ)
    producer = mmap.mmap(ring.fileno(), PAGE + 2 * ring.size, offset=PAGE)
    data = memoryview(producer)[PAGE:]

    def show(event, at=None):
        """Prints both positions, and the header of the sample at a position."""
        (consumed,) = struct.unpack_from("=Q", consumer)
        (produced,) = struct.unpack_from("=Q", producer)
        header = ""
        if at is not None:
            (word,) = struct.unpack_from("=I", data, at % ring.size)
            header = f"  {word & ~(BUSY | DISCARD):>5} bytes"
            header += " busy" * bool(word & BUSY) + " discarded" * bool(word & DISCARD)
        print(f"{event:<10}{consumed:>9}{produced:>9}{header}")

    def drain():
        """Runs the BPF program, which takes what it can."""
        bpf.programs["drain"].test_run()
        show("drained")

    print(f"{'':<10} consumer producer  header")
    show("empty")
    first = ring.reserve(12)
    show("reserved", 0)
    second = ring.reserve(40)
    show("reserved", 24)
    first[:] = b"twelve bytes"
    ring.submit(first)
    show("submitted", 0)
    ring.discard(second)
    show("discarded", 24)
    print("the bytes after the first header:", bytes(data[8:20]))
    drain()

    ring.write(bytes(4000))
    drain()
    print("-- across the end")
    ring.write(b"across the end")
    show("submitted", 4080)
    print("at 4088:", bytes(data[4088 : 4088 + 14]))
    print("at    0:", bytes(data[:6]))
    drain()
    data.release()

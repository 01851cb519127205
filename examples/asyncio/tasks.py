# SPDX-License-Identifier: 0BSD
import array
import asyncio

import userrb


async def write(ring):
    """Writes 50 samples of 1000 bytes, of which four find room at a time."""
    for _ in range(50):
        await ring.write_async(bytes(1000))


async def reserve(ring):
    """Reserves 10 samples, and writes into them."""
    for _ in range(10):
        with await ring.reserve_async(8) as sample:
            sample[:] = b"8 bytes."


async def main():
    """Produces in three tasks while this one drains."""
    with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
        records = array.array("Q", range(1000))
        producers = asyncio.gather(write(ring), reserve(ring), ring.submit_many_async(records))
        drained = rounds = 0
        while not producers.done() or ring.consumer_position < ring.producer_position:
            await asyncio.sleep(0.001)
            drained += bpf.programs["drain"].test_run().retval
            rounds += 1
        print("records submitted at once:", (await producers)[2])
        print("samples drained:", drained)
        print("the tasks had to wait:", "yes" if rounds > 1 else "no")


asyncio.run(main())

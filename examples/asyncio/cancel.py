# SPDX-License-Identifier: 0BSD
import array
import asyncio

import userrb


async def cancel(awaitable):
    """Cancels a task that waits for room."""
    task = asyncio.create_task(awaitable)
    await asyncio.sleep(0.1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled,"


async def write_slowly(ring):
    """Is cancelled while it has a sample."""
    with await ring.reserve_async(8) as sample:
        sample[:4] = b"half"
        await asyncio.sleep(10)
        sample[4:] = b"done"


async def main():
    """Cancels one task after the other, and drains after each."""
    with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:

        def drain():
            return f"drained: {bpf.programs['drain'].test_run().retval}"

        for _ in range(4):
            await ring.write_async(bytes(1016))
        print("write_async in a full ring:", await cancel(ring.write_async(b"8 bytes.")), drain())

        print("a block that has a sample:", await cancel(write_slowly(ring)), drain())

        records = array.array("Q", range(1000))
        print("1000 records, room for 256:", await cancel(ring.submit_many_async(records)), drain())

        ring.write(bytes(4088))
        try:
            async with asyncio.timeout(0.1):
                await ring.write_async(b"8 bytes.")
        except TimeoutError:
            print("asyncio.timeout: TimeoutError")
        try:
            await ring.write_async(b"8 bytes.", timeout_ms=100)
        except userrb.RingFull:
            print("timeout_ms: RingFull,", drain())


asyncio.run(main())

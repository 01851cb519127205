# SPDX-License-Identifier: 0BSD
import asyncio
import select

import userrb


async def main():
    """Watches a ring that is partly full for 0.3 seconds, in two ways."""
    with userrb.BpfObject("drain.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
        loop = asyncio.get_running_loop()
        calls = 0

        def writable():
            nonlocal calls
            calls += 1

        def edge():
            nonlocal calls
            calls += 1
            epoll.poll(0)  # takes the edge: without it, the loop would call again and again

        ring.write(bytes(1016))
        loop.add_writer(ring.fileno(), writable)
        await asyncio.sleep(0.3)
        loop.remove_writer(ring.fileno())
        print("the map itself:", "more than 100" if calls > 100 else calls, "calls")

        calls = 0
        with select.epoll() as epoll:
            epoll.register(ring.fileno(), select.EPOLLOUT | select.EPOLLET)
            loop.add_reader(epoll.fileno(), edge)
            await asyncio.sleep(0.3)
            print("edge-triggered:", calls, "call")
            bpf.programs["drain"].test_run()
            await asyncio.sleep(0.1)
            print("after a drain:", calls, "calls")
            loop.remove_reader(epoll.fileno())


asyncio.run(main())

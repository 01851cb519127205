"""Waiting for samples from the kernel, in threads and in event loops."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from userrb.descriptor import Descriptor, as_bpf_error

if TYPE_CHECKING:
    import asyncio

LOOK_SECONDS = 0.02
"""How often to look without a wakeup: a sample submitted with `BPF_RB_NO_WAKEUP` sends none."""


class Arrival:
    """Wakes who waits for samples of a map, or for the end of the waiting.

    The map is watched edge-triggered: a sample that is still being written would make it readable
    all the time.

    Args:
        descriptor: The map.
        ready: Whether there is something to take.
    """

    def __init__(self, descriptor: Descriptor, ready: Callable[[], bool]) -> None:
        self._map = descriptor
        self.ready = ready
        self._end = Descriptor.own(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        self._epoll = self._watch()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Waiters] = WeakKeyDictionary()
        self.ended = False

    def _watch(self) -> select.epoll:
        epoll = select.epoll()
        epoll.register(self._map.number, select.EPOLLIN | select.EPOLLET)
        epoll.register(self._end.number, select.EPOLLIN)
        return epoll

    def wait(self, seconds: float | None) -> None:
        """Wait in this thread, for a while at most; signal handlers run, and may raise."""
        self._epoll.poll(LOOK_SECONDS if seconds is None else min(seconds, LOOK_SECONDS), 1)

    async def wait_async(self, seconds: float | None) -> None:
        """Wait in this task, for this time at most."""
        import asyncio  # noqa: PLC0415 - who waits in an event loop has it

        loop = asyncio.get_running_loop()
        waiters = self._loops.get(loop)
        if waiters is None:
            with as_bpf_error("waiting for samples"):
                epoll = self._watch()
            waiters = self._loops[loop] = Waiters(epoll, self)
        await waiters.wait(seconds)

    def pass_on(self) -> None:
        """Wakes the next task of this event loop, if there is more to take."""
        import asyncio  # noqa: PLC0415 - as above

        waiters = self._loops.get(asyncio.get_running_loop())
        if waiters is not None and self.ready():
            waiters.wake()

    def end(self) -> None:
        """Wakes all, now and in future."""
        self.ended = True
        os.eventfd_write(self._end.number, 1)


class Waiters:
    """The tasks of one event loop that wait: they share a descriptor, as the kernel allows few.

    One of them is woken at a time, the longest waiting first: it passes on what it leaves.
    """

    def __init__(self, epoll: select.epoll, arrival: Arrival) -> None:
        # Not the loop itself: it is the key under which this is kept, and would live as long.
        self._epoll = epoll
        self._arrival = arrival
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._look: asyncio.TimerHandle | None = None

    async def wait(self, seconds: float | None) -> None:
        """Wait until something may have come."""
        import asyncio  # noqa: PLC0415 - as above

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.add_reader(self._epoll.fileno(), self._edge)
            self._look_later(loop)
        self._waiting[future] = None
        timer = None if seconds is None else loop.call_later(seconds, finish, future)
        try:
            await future
        finally:
            if timer:
                timer.cancel()
            self._waiting.pop(future, None)
            if not self._waiting:
                loop.remove_reader(self._epoll.fileno())
                if self._look:
                    self._look.cancel()

    def wake(self) -> None:
        """Wakes the task that waits longest; all of them when there is nothing to come."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
                if not self._arrival.ended:
                    break

    def _edge(self) -> None:
        self._epoll.poll(0)  # takes the edge; without it the descriptor stays readable
        self.wake()

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        def look() -> None:
            if self._arrival.ready():
                self.wake()
            self._look_later(loop)

        self._look = loop.call_later(LOOK_SECONDS, look)


def finish(future: asyncio.Future[None]) -> None:
    """End a wait whose time is over."""
    if not future.done():
        future.set_result(None)

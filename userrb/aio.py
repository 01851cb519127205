"""Waiting for room in an event loop: it neither spins nor blocks, and cancels cleanly.

The tasks of a loop that wait for room in a ring stand in one line, with one descriptor, one reader
and one timer for all of them. Only the first one tries; when it has found room, or has gone, the
next one tries.
"""

from __future__ import annotations

import errno
import operator
import os
import select
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from userrb.errors import BadTimeout, BpfError, RingFull, RingTimeout

if TYPE_CHECKING:
    import asyncio

    from userrb.ring import UserRingBuffer

Result = TypeVar("Result")

TIMEOUT_MAX_MS = 2**31 - 1

LOOK_SECONDS = 0.02
"""How often to look without a wakeup: a drain with `BPF_RB_NO_WAKEUP` sends none."""


class Waiter:
    """One task's place in the line."""

    __slots__ = ("late", "wakeup")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.wakeup: asyncio.Future[None] = loop.create_future()
        self.late = False

    def wake(self) -> None:
        """Let the task look."""
        if not self.wakeup.done():
            self.wakeup.set_result(None)

    def give_up(self) -> None:
        """Let the task look for the last time."""
        self.late = True
        self.wake()


class Line:
    """The tasks of one loop that wait for room in one ring, first come, first served.

    It watches the map through an epoll descriptor, edge-triggered: the map itself, watched
    level-triggered as loops do, would be ready all the time. The tasks alone keep the line, so
    that nothing is left of it when a loop is given up with all its tasks.
    """

    __slots__ = ("__weakref__", "epoll", "loop", "pid", "ring", "timer", "waiters")

    def __init__(self, ring: UserRingBuffer, loop: asyncio.AbstractEventLoop) -> None:
        self.ring, self.loop = ring, loop
        self.pid = os.getpid()
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.epoll = watch(ring)
        try:
            loop.add_reader(self.epoll.fileno(), self.ready)
        except BaseException:
            self.epoll.close()
            raise
        self.timer = loop.call_later(LOOK_SECONDS, self.look)

    def ready(self) -> None:
        """Take the edge after a drain."""
        self.epoll.poll(0)  # takes the edge; without it the descriptor stays readable
        self.wake_first()

    def look(self) -> None:
        """Let the first task look from time to time."""
        self.timer = self.loop.call_later(LOOK_SECONDS, self.look)
        self.wake_first()

    def wake_first(self) -> None:
        """Let the first task look."""
        for waiter in self.waiters:
            waiter.wake()
            break

    def first(self) -> Waiter | None:
        """Return whose turn it is."""
        return next(iter(self.waiters), None)

    def leave(self, waiter: Waiter) -> None:
        """Take a task out of the line; who is the first one then gets its turn."""
        was_first = self.first() is waiter
        del self.waiters[waiter]
        # A closed loop has forgotten its readers. A forked child's is the parent's, which it must
        # leave alone: both share the descriptor in which the loop's readers are registered.
        alive = not self.loop.is_closed() and os.getpid() == self.pid
        if self.waiters:
            if was_first and alive:
                self.wake_first()
            return
        if alive:
            self.timer.cancel()
            self.loop.remove_reader(self.epoll.fileno())
        self.epoll.close()


def watch(ring: UserRingBuffer) -> select.epoll:
    """Return a descriptor that is readable after a drain."""
    fd = ring.fileno()
    try:
        epoll = select.epoll()
        epoll.register(fd, select.EPOLLOUT | select.EPOLLET)
    except OSError as error:
        raise BpfError(error.errno, f"waiting for room: {error.strerror}") from None
    return epoll


async def when_room(
    ring: UserRingBuffer, attempt: Callable[[bool], Result], timeout_ms: int
) -> Result:
    """Repeat an attempt that does not block until the ring has room for it.

    Between the attempt that succeeds and the return there is no await, so a cancellation loses no
    sample.

    Args:
        ring: The ring.
        attempt: Raises RingFull where there is no room, and, when it is called with False, where
            there may be room, too: it is another task's turn.
        timeout_ms: How long to go on; -1 without end, 0 for one attempt.
    """
    timeout_ms = operator.index(timeout_ms)
    if not -1 <= timeout_ms <= TIMEOUT_MAX_MS:
        raise BadTimeout(
            errno.EINVAL,
            f"timeout_ms must be -1 (wait forever), 0 (do not wait) or at most {TIMEOUT_MAX_MS}",
        )
    line = find_line(ring) if lines and timeout_ms else None
    try:
        return attempt(line is None)
    except RingFull as error:
        if timeout_ms == 0:
            raise
        reason = error.strerror
    return await wait_in_line(line or new_line(ring), attempt, timeout_ms, reason)


async def wait_in_line(
    line: Line, attempt: Callable[[bool], Result], timeout_ms: int, reason: str | None
) -> Result:
    """Wait behind the tasks in the line, then for room."""
    waiter = Waiter(line.loop)
    deadline = line.loop.call_later(timeout_ms / 1000, waiter.give_up) if timeout_ms > 0 else None
    line.waiters[waiter] = None
    try:
        while True:
            await waiter.wakeup
            if line.first() is waiter:
                try:
                    return attempt(True)
                except RingFull as error:
                    reason = error.strerror
            if waiter.late:
                raise RingTimeout(errno.ENOSPC, f"{reason} within {timeout_ms} ms")
            waiter.wakeup = line.loop.create_future()
    finally:
        if deadline:
            deadline.cancel()
        line.leave(waiter)


lines: WeakValueDictionary[tuple[int, int], Line] = WeakValueDictionary()
"""By ring and loop; each line keeps both, so that their ids stay theirs."""


def find_line(ring: UserRingBuffer) -> Line | None:
    """Return the line in which tasks of the running loop wait for this ring, if any do."""
    import asyncio  # noqa: PLC0415 - who waits has it; who never waits has no use for it

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # driven by hand, which is fine as long as it need not wait
        return None
    line = lines.get((id(ring), id(loop)))
    return line if line and line.waiters else None


def new_line(ring: UserRingBuffer) -> Line:
    """Open a line for the running loop."""
    import asyncio  # noqa: PLC0415 - as above

    loop = asyncio.get_running_loop()
    line = lines[id(ring), id(loop)] = Line(ring, loop)
    return line

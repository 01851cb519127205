"""Waiting for room in an event loop: it neither spins nor blocks, and cancels cleanly."""

from __future__ import annotations

import errno
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from userrb.errors import BadTimeout, RingFull

if TYPE_CHECKING:
    from userrb.ring import UserRingBuffer

Result = TypeVar("Result")

TIMEOUT_MAX_MS = 2**31 - 1

LOOK_SECONDS = 0.02
"""How often to look without a wakeup: a drain with `BPF_RB_NO_WAKEUP` sends none."""


async def when_room(ring: UserRingBuffer, attempt: Callable[[], Result], timeout_ms: int) -> Result:
    """Repeats an attempt that does not block until the ring has room for it.

    The loop watches an epoll descriptor of this waiter's own, which watches the map edge-triggered:
    the map itself, watched level-triggered as loops do, would be ready all the time. Between the
    attempt that succeeds and the return there is no await, so a cancellation loses no sample.

    Args:
        ring: The ring.
        attempt: Raises RingFull where there is no room.
        timeout_ms: How long to go on; -1 without end, 0 for one attempt.
    """
    if not -1 <= timeout_ms <= TIMEOUT_MAX_MS:
        raise BadTimeout(
            errno.EINVAL,
            f"timeout_ms is -1 (wait without end), 0 (do not wait) or up to {TIMEOUT_MAX_MS} ms",
        )
    try:
        return attempt()
    except RingFull:
        if timeout_ms == 0:
            raise
    # Who waits in an event loop has it; who never waits has no use for what takes long to import.
    import asyncio  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_ms / 1000
    wakeup = asyncio.Event()
    with select.epoll() as epoll:

        def ready() -> None:
            epoll.poll(0)  # takes the edge; without it the descriptor stays readable
            wakeup.set()

        epoll.register(ring.fileno(), select.EPOLLOUT | select.EPOLLET)
        loop.add_reader(epoll.fileno(), ready)
        try:
            while True:
                left = LOOK_SECONDS if timeout_ms < 0 else deadline - loop.time()
                look = loop.call_later(min(left, LOOK_SECONDS), wakeup.set)
                try:
                    await wakeup.wait()
                finally:
                    look.cancel()
                wakeup.clear()
                try:
                    return attempt()
                except RingFull:
                    if timeout_ms >= 0 and loop.time() >= deadline:
                        raise
        finally:
            loop.remove_reader(epoll.fileno())

"""How soon something happens at best, as a busy machine may come late now and then."""

from __future__ import annotations

from collections.abc import Callable


def soonest(attempt: Callable[[], float], limit: float) -> float:
    """Return the shortest of up to five attempts' seconds, the first below a limit."""
    least = attempt()
    for _ in range(4):
        if least < limit:
            break
        least = min(least, attempt())
    return least

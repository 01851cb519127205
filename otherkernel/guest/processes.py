"""Kills a command with all that it has started, while other commands run."""

import _signal  # type: ignore[import-not-found]  # `signal` costs an import of `enum`
import os


def kill(leader: int) -> None:
    """Kill a process, its session, and their children, whatever sessions those are in."""
    killed: set[int] = set()
    while left := _family(leader) - killed:
        for process in left:
            try:
                os.kill(process, _signal.SIGKILL)
            except ProcessLookupError:
                pass
        killed |= left  # those that were started meanwhile are still to come


def _family(leader: int) -> set[int]:
    parents: dict[int, int] = {}
    family = {leader}
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/stat") as file:
                state, parent, _, session = file.read().rpartition(")")[2].split()[:4]
        except (ValueError, OSError):
            continue  # no process, or it has just ended
        if state not in "ZX":
            parents[int(name)] = int(parent)
            if int(session) == leader:
                family.add(int(name))
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family & parents.keys()

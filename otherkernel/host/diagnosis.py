"""Names what ended a guest, from its console and from how its emulator ended."""

import signal

from otherkernel.errors import EmulatorDied, GuestError, GuestHang, GuestOutOfMemory, GuestPanic
from otherkernel.host.console import Console


def hung(why: str, console: Console, memory: int) -> GuestError:
    """Return the error for a guest that had to be killed.

    Args:
        why: How that showed.
        console: What its kernel printed.
        memory: The guest's, in MiB.
    """
    killed = console.killed()
    if killed:
        return GuestOutOfMemory(
            f"the guest ran out of memory ({memory} MiB): its kernel killed "
            f"{', '.join(killed[-3:])}, and since then {why}",
            console.tail(),
        )
    return GuestHang(f"the guest hangs: {why}; it was killed", console.tail())


def gone(status: int | None, detail: str, console: Console, memory: int) -> GuestError:
    """Return the error for a guest whose line broke.

    Args:
        status: The emulator's exit status, negative for a signal; None if it still ran.
        detail: What the emulator or the line had to say.
        console: What the guest's kernel printed.
        memory: The guest's, in MiB.
    """
    tail = console.tail()
    reason = console.panic()
    if console.panic_for_memory():
        return GuestOutOfMemory(
            f"the guest ran out of memory ({memory} MiB) and its kernel panicked: {reason}", tail
        )
    if reason:
        return GuestPanic(f"the guest's kernel panicked: {reason}", tail)
    if status is None:
        return EmulatorDied(f"the guest's line broke: {detail or 'it was closed'}", tail)
    if status < 0:
        name = signal.Signals(-status).name
        return EmulatorDied(
            f"QEMU was killed by {name}: by itself, by someone, or by the host for want of memory",
            tail,
        )
    if status:
        return EmulatorDied(f"QEMU failed with status {status}: {detail}", tail)
    if detail:  # what it writes when a signal makes it end in good order
        return EmulatorDied(f"QEMU was ended: {detail}", tail)
    return EmulatorDied("the guest restarted or powered off by itself", tail)

"""Whether KVM works here: only a boot tells, as the device may be there and not work."""

import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from otherkernel import cache
from otherkernel.errors import Error, GuestError
from otherkernel.host import qemu

DEVICE = Path("/dev/kvm")
# A boot under KVM takes about one second; one that needs longer is worth nothing.
PROBE_SECONDS = 10.0
# One boot may fail for another reason: after so long it is tried again.
BELIEVED_SECONDS = 86400.0


def use_kvm(boots: Callable[[], None]) -> bool:
    """Tells whether to use KVM. `OTHERKERNEL_ACCEL` decides if it is "kvm" or "tcg".

    Args:
        boots: Boots a guest under KVM within `PROBE_SECONDS`, or raises `GuestError`.

    Raises:
        Error: `OTHERKERNEL_ACCEL` is something else.
    """
    chosen = os.environ.get("OTHERKERNEL_ACCEL", "")
    if chosen in ("kvm", "tcg"):
        return chosen == "kvm"
    if chosen:
        raise Error(f"OTHERKERNEL_ACCEL is {chosen!r}: it must be kvm or tcg, or not be set")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False
    emulator = Path(qemu.program(qemu.PROGRAM, "qemu-system-x86"))
    info = emulator.stat()
    key = f"{os.uname().release} {os.uname().nodename} {emulator} {info.st_size} {info.st_mtime_ns}"

    def probe(part: Path) -> None:
        try:
            boots()
        except GuestError as error:
            (part / "answer").write_text(f"no: {error}\n")
        else:
            (part / "answer").write_text("yes\n")

    name = f"kvm/{sha256(key.encode()).hexdigest()[:16]}"
    answer = cache.filled(name, probe) / "answer"
    if not _says_yes(answer) and time.time() - answer.stat().st_mtime > BELIEVED_SECONDS:
        answer = cache.filled(name, probe, refresh=True) / "answer"
    return _says_yes(answer)


def _says_yes(answer: Path) -> bool:
    return answer.read_text().startswith("yes")

"""A guest that fails is named as what it was."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otherkernel import wire
from otherkernel.errors import (
    BootFailed,
    EmulatorDied,
    GuestError,
    GuestHang,
    GuestOutOfMemory,
    GuestPanic,
    KernelFileError,
)
from otherkernel.host import qemu
from otherkernel.machine import Machine

pytestmark = pytest.mark.vm

FORGED = wire._HEADER.pack(wire.SEAL, wire.EXIT, 0, 1, 8) + wire.EXIT_STATUS.pack(0, 0)
FILL = "b = []\nwhile True:\n    b.append(bytearray(b'x' * (8 << 20)))"


@pytest.fixture
def mortal(folder: Path) -> Iterator[Machine]:
    """A guest of the test's own, to do harm to."""
    with Machine("6.12") as machine:
        yield machine


def test_a_time_limit_kills_the_command_only(machine: Machine, folder: Path) -> None:
    """TimeoutExpired has the output so far, files came back, and the guest goes on."""
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired) as expired:
        machine.run(
            "echo early; echo >file; sleep 60", shell=True, capture_output=True, timeout=1.5
        )
    assert time.monotonic() - started < 10
    assert (expired.value.output, expired.value.timeout) == (b"early\n", 1.5)
    assert (folder / "file").exists()
    assert machine.run(["ps"], capture_output=True).stdout.count(b"sleep 60") == 0


def test_a_killed_emulator_is_named(mortal: Machine) -> None:
    """QEMU killed in the middle of a command is EmulatorDied, and the guest is closed."""
    timer = threading.Timer(1.0, os.kill, (mortal.process_id, signal.SIGKILL))
    timer.start()
    with pytest.raises(EmulatorDied, match="QEMU was killed by SIGKILL"):
        mortal.run(["sleep", "60"])
    with pytest.raises(GuestError, match="start another"):
        mortal.run(["true"])


def test_an_ended_emulator_is_named(mortal: Machine) -> None:
    """QEMU told to end, which it does with status 0, is EmulatorDied too, and not a pass."""
    threading.Timer(1.0, os.kill, (mortal.process_id, signal.SIGTERM)).start()
    with pytest.raises(EmulatorDied, match=r"QEMU was ended: .*signal 15"):
        mortal.run(["sleep", "60"])


def test_a_panic_is_named(mortal: Machine) -> None:
    """A panic in a command is GuestPanic, with its reason and the console's last lines."""
    with pytest.raises(GuestPanic, match="sysrq triggered crash") as panic:
        mortal.run("echo c >/proc/sysrq-trigger", shell=True)
    assert "Kernel panic - not syncing" in panic.value.console


def test_a_filled_memory_is_named(mortal: Machine) -> None:
    """A command killed for want of memory is GuestOutOfMemory, and the guest goes on."""
    with pytest.raises(GuestOutOfMemory, match=r"ran out of memory \(768 MiB\).*python") as full:
        mortal.run(["python3", "-c", FILL])
    assert full.value.survived
    assert "Out of memory" in full.value.console
    assert mortal.run(["echo", "up"], capture_output=True).stdout == b"up\n"


def test_a_memory_filled_with_files_is_named(mortal: Machine) -> None:
    """Memory that no kill frees ends in a panic, and is GuestOutOfMemory all the same."""
    # Whom the memory killer takes first is a matter of chance: let it have nobody.
    mounts = "echo -1000 >/proc/self/oom_score_adj; "
    mounts += "".join(f"mkdir /{n}; mount -t tmpfs -o size=400M {n} /{n}; " for n in "ab")
    with pytest.raises(GuestOutOfMemory, match="deadlocked on memory") as full:
        mortal.run(f"{mounts} cat /dev/zero >/a/a; cat /dev/zero >/b/b; sleep 60", shell=True)
    assert not full.value.survived


def test_a_guest_that_stops_answering_is_named(mortal: Machine) -> None:
    """A guest that does not even kill a command is GuestHang, and is killed."""
    os.kill(mortal.process_id, signal.SIGSTOP)
    with pytest.raises(GuestHang, match="it did not kill a command"):
        mortal.run(["sleep", "60"], timeout=1)
    with pytest.raises(ProcessLookupError):
        os.kill(mortal.process_id, 0)


def test_a_silent_guest_is_given_up(mortal: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any time limit, a guest that leaves questions unanswered is GuestHang."""
    monkeypatch.setattr("otherkernel.host.boot.PING_SECONDS", 1.0)
    monkeypatch.setattr("otherkernel.host.boot.DEAD_SECONDS", 3.0)
    assert mortal.run(["sleep", "5"]).returncode == 0
    os.kill(mortal.process_id, signal.SIGSTOP)
    with pytest.raises(GuestHang, match="has not answered for"):
        mortal.run(["sleep", "60"])


def test_a_guest_that_powers_off_is_named(mortal: Machine) -> None:
    """A command that powers the guest off is EmulatorDied, not a pass."""
    with pytest.raises(EmulatorDied, match="powered off by itself"):
        mortal.run(["poweroff", "-f"])


def test_a_forged_end_is_found_out(mortal: Machine) -> None:
    """A command that writes to the guest's line, by a device of its own, ends nothing with 0."""
    end = "".join(f"\\{byte:03o}" for byte in FORGED)
    script = f"mknod line c 4 65; printf '{end}' >line; sleep 60"
    with pytest.raises(GuestError, match="makes no sense: no frame"):
        mortal.run(script, shell=True, timeout=30)


def test_the_line_has_no_name(machine: Machine, folder: Path) -> None:
    """What a command writes to the serial ports that it finds does not reach the host."""
    assert machine.run("echo x >/dev/ttyS1", shell=True, cwd="/").returncode == 0
    assert machine.run(["stat", "-c", "%F", "/dev/ttyS1"], capture_output=True).stdout == (
        b"regular file\n"
    )


def test_a_failed_boot_is_tried_once_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that panics at boot is booted again once, and counted."""
    lines = iter([qemu.COMMAND_LINE + " rdinit=/none root=/none", qemu.COMMAND_LINE])
    real = qemu.start

    def start(*args: object, **options: object) -> qemu.Emulator:
        monkeypatch.setattr(qemu, "COMMAND_LINE", next(lines))
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(qemu, "start", start)
    with Machine("6.12") as machine:
        assert machine.boot_retries == 1
        assert isinstance(machine.boot_failure, GuestPanic)
        assert machine.run(["true"]).returncode == 0


def test_a_boot_that_fails_twice_is_named(folder: Path) -> None:
    """A guest that does not come up in time, twice, is BootFailed, with no process left."""
    with pytest.raises(BootFailed, match="did not come up in time"):
        Machine("6.12", boot_timeout=0.3)


def test_a_file_that_is_no_kernel_is_refused(folder: Path) -> None:
    """A path to something else, or to nothing, says so; so does an unknown key."""
    (folder / "text").write_text("no kernel")
    with pytest.raises(KernelFileError, match="vmlinuz"):
        Machine(folder / "text")
    with pytest.raises(KernelFileError, match="no such file"):
        Machine("./missing")
    with pytest.raises(KernelFileError, match=r"5\.10, 6\.1, "):
        Machine("2.4")

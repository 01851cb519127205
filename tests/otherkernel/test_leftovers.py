"""A guest leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from otherkernel.machine import Machine

pytestmark = pytest.mark.vm

SLEEPER = """
import sys
from otherkernel.machine import Machine
with Machine("6.12") as machine:
    print(machine.process_id, flush=True)
    machine.run(["sleep", "300"])
"""


def alive(process: int) -> bool:
    """Tells whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(process: int, seconds: float = 5.0) -> bool:
    """Waits for a process to end."""
    deadline = time.monotonic() + seconds
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(process)


def descriptors() -> set[str]:
    """Returns this process's open sockets and memory files."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith(("socket:", "/memfd:")):
            found.add(target)
    return found


def test_a_closed_guest_leaves_nothing(folder: Path) -> None:
    """No process, socket, descriptor or temporary file is left after a with block."""
    files = set(os.listdir(tempfile.gettempdir()))
    before = descriptors()
    with Machine("6.12") as machine:
        process = machine.process_id
        machine.run(["true"], check=True)
        assert alive(process)
    assert not alive(process)
    assert descriptors() == before
    assert not {n for n in os.listdir(tempfile.gettempdir()) if "otherkernel" in n} - files
    machine.close()


def test_an_exception_closes_the_guest(folder: Path) -> None:
    """An exception in the with block ends the emulator."""
    with pytest.raises(ZeroDivisionError), Machine("6.12") as machine:
        process = machine.process_id
        raise ZeroDivisionError
    assert not alive(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_signal_to_the_parent_ends_the_guest(folder: Path, number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and even SIGKILL of this process end the emulator with it."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        assert alive(process)
        parent.send_signal(number)
        assert parent.wait(10) != 0
    assert gone(process)


def test_a_signal_while_booting_ends_the_guest(folder: Path) -> None:
    """Ctrl-C during the boot ends the emulator too."""
    script = SLEEPER.replace("import sys", "import threading, os, time, signal").replace(
        "with Machine",
        "threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()\nwith Machine",
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(1.2)
    children = Path(f"/proc/{parent.pid}/task").glob("*/children")
    booting = [int(child) for path in children for child in path.read_text().split()]
    out, error = parent.communicate(timeout=20)
    assert (out, b"KeyboardInterrupt" in error) == (b"", True)
    assert booting
    assert all(gone(process) for process in booting)


def test_a_guest_outlives_the_thread_that_started_it(folder: Path) -> None:
    """A guest booted in a thread serves the others after that thread ended."""
    made: list[Machine] = []
    thread = threading.Thread(target=lambda: made.append(Machine("6.12")))
    thread.start()
    thread.join()
    time.sleep(0.5)
    with made[0] as machine:
        assert machine.run(["true"]).returncode == 0

"""``python -m otherkernel``: a command's streams, status and files through the command line."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.vm

OTHERKERNEL = [sys.executable, "-m", "otherkernel"]
RUN = [*OTHERKERNEL, "run", "--kernel", "6.12"]


def test_run_is_as_if_the_command_ran_here(folder: Path) -> None:
    """Streams are apart and byte for byte, files come back, and the status is the command's."""
    noise = random.Random(4).randbytes(1 << 20)
    (folder / "noise").write_bytes(noise)
    script = "cat noise; cat noise >&2; cp noise copy; exit 7"
    done = subprocess.run([*RUN, "--", "sh", "-c", script], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, noise, noise)
    assert (folder / "copy").read_bytes() == noise


def test_run_reports_signals_and_limits(folder: Path) -> None:
    """A signal N gives 128 + N, the time limit 124, and a missing command 127."""
    assert subprocess.run([*RUN, "--", "sh", "-c", "kill -11 $$"]).returncode == 139
    limited = subprocess.run(
        [*RUN, "--timeout", "1", "--", "sleep", "60"], capture_output=True, text=True
    )
    assert (limited.returncode, limited.stderr) == (124, "otherkernel: killed after 1 seconds\n")
    assert subprocess.run([*RUN, "--", "nothing-there"], capture_output=True).returncode == 127


def test_run_names_a_panic(folder: Path) -> None:
    """A guest that panics is told from a command that failed, by words and status 125."""
    script = "echo c >/proc/sysrq-trigger"
    done = subprocess.run([*RUN, "--", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 125
    assert done.stderr.startswith("otherkernel: the guest's kernel panicked: sysrq triggered crash")


def test_run_streams_and_dies_on_ctrl_c(folder: Path) -> None:
    """Output comes while the command runs, and Ctrl-C ends both with status 130."""
    with subprocess.Popen(
        [*RUN, "--", "sh", "-c", "echo first; sleep 300"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"first\n"
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert process.wait(20) == 130
        assert time.monotonic() - started < 5


def test_run_reads_input_on_demand(folder: Path) -> None:
    """With --stdin the command reads ours; without, its input is empty."""
    piped = subprocess.run([*RUN, "--stdin", "--", "cat"], input=b"\0\xff", capture_output=True)
    assert piped.stdout == b"\0\xff"
    assert subprocess.run([*RUN, "--", "cat"], input=b"x", capture_output=True).stdout == b""


def test_kernels_are_listed() -> None:
    """`kernels` lists every kernel, and which package is cached."""
    listed = subprocess.run(
        [*OTHERKERNEL, "kernels"], capture_output=True, text=True, check=True
    ).stdout
    assert "6.12" in listed
    assert "linux-image-6.12." in listed


def test_an_unknown_kernel_is_refused(folder: Path) -> None:
    """A kernel that nobody knows is refused with the names of those there are."""
    done = subprocess.run(
        [*OTHERKERNEL, "run", "--kernel", "2.4", "--", "true"], capture_output=True
    )
    assert done.returncode == 125
    assert b"name one of 5.10, 6.1" in done.stderr

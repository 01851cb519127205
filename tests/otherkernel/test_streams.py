"""A command's streams, arguments and environment, as `subprocess` would treat them."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import userrb
from otherkernel.machine import Machine

pytestmark = pytest.mark.vm

ALL_BYTES = bytes(range(256))


def test_output_is_carried_byte_for_byte(machine: Machine, folder: Path) -> None:
    """Three mebibytes of random bytes come out of the guest as they went in, on both streams."""
    noise = random.Random(1).randbytes(3 << 20) + ALL_BYTES
    (folder / "noise").write_bytes(noise)
    out = machine.run(["cat", "noise"], capture_output=True)
    assert (out.returncode, out.stdout, out.stderr) == (0, noise, b"")
    error = machine.run("cat noise >&2", shell=True, capture_output=True)
    assert (error.returncode, error.stdout, error.stderr) == (0, b"", noise)


def test_streams_stay_apart_and_merge_on_demand(machine: Machine, folder: Path) -> None:
    """Standard output and error come separately, or in order as one with stderr=STDOUT."""
    script = "echo a; echo b >&2; echo c"
    apart = machine.run(script, shell=True, capture_output=True)
    assert (apart.stdout, apart.stderr) == (b"a\nc\n", b"b\n")
    merged = machine.run(script, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (merged.stdout, merged.stderr) == (b"a\nb\nc\n", None)


def test_streams_go_to_files_and_nowhere(machine: Machine, folder: Path) -> None:
    """A file given as stdout gets the output, and DEVNULL swallows it."""
    with (folder / "out").open("wb") as file:
        done = machine.run("echo x; echo y >&2", shell=True, stdout=file, stderr=subprocess.DEVNULL)
    assert (done.stdout, done.stderr) == (None, None)
    assert (folder / "out").read_bytes() == b"x\n"


def test_streams_are_inherited_by_default(
    machine: Machine, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without stdout and stderr the output goes to this process's own."""
    machine.run("echo x; echo y >&2", shell=True)
    assert capfd.readouterr() == ("x\n", "y\n")


def test_text_is_decoded(machine: Machine, folder: Path) -> None:
    """With text=True the results are strings."""
    assert machine.run(["echo", "grüße"], capture_output=True, text=True).stdout == "grüße\n"


def test_input_reaches_the_command(machine: Machine, folder: Path) -> None:
    """A mebibyte of binary input arrives whole, and without any the input is empty."""
    noise = random.Random(2).randbytes(1 << 20) + ALL_BYTES
    assert machine.run(["cat"], input=noise, capture_output=True).stdout == noise
    assert machine.run(["cat"], capture_output=True).stdout == b""
    (folder / "in").write_bytes(ALL_BYTES)
    with (folder / "in").open("rb") as file:
        assert machine.run(["cat"], stdin=file, capture_output=True).stdout == ALL_BYTES


def test_a_reader_that_leaves_ends_the_command(machine: Machine, folder: Path) -> None:
    """A command whose output nobody reads any more dies of SIGPIPE, and the guest goes on."""
    read, write = os.pipe()
    with ThreadPoolExecutor() as pool:
        done = pool.submit(machine.run, ["seq", "1", "1000000"], stdout=write)
        assert os.read(read, 2) == b"1\n"
        os.close(read)
        assert done.result().returncode == -signal.SIGPIPE
    os.close(write)
    assert machine.run(["echo", "up"], capture_output=True).stdout == b"up\n"


def test_unread_input_does_no_harm(machine: Machine, folder: Path) -> None:
    """A command that ends without reading its input ends normally, and the next one is not hurt."""
    assert machine.run(["true"], input=bytes(2 << 20)).returncode == 0
    assert machine.run(["cat"], input=b"x", capture_output=True).stdout == b"x"


@pytest.mark.parametrize("status", [0, 1, 3, 127, 255])
def test_exit_status_is_carried(machine: Machine, folder: Path, status: int) -> None:
    """Every exit status arrives as it was."""
    assert machine.run(["sh", "-c", f"exit {status}"]).returncode == status


@pytest.mark.parametrize("number", [1, 6, 9, 11, 13, 15])
def test_a_signal_is_a_negative_status(machine: Machine, folder: Path, number: int) -> None:
    """A command killed by signal N has the status -N."""
    assert machine.run(["sh", "-c", f"kill -{number} $$"]).returncode == -number


def test_a_command_that_is_not_there(machine: Machine, folder: Path) -> None:
    """A missing command is a FileNotFoundError, one that is no program a PermissionError."""
    with pytest.raises(FileNotFoundError, match="nothing-of-that-name"):
        machine.run(["nothing-of-that-name"])
    (folder / "plain").write_text("x")
    with pytest.raises(PermissionError):
        machine.run(["./plain"])
    assert machine.run(["true"]).returncode == 0


def test_check_raises(machine: Machine, folder: Path) -> None:
    """With check=True a failure is a CalledProcessError that has the output."""
    with pytest.raises(subprocess.CalledProcessError) as failure:
        machine.run("echo x; exit 3", shell=True, capture_output=True, check=True)
    assert (failure.value.returncode, failure.value.stdout) == (3, b"x\n")


def test_the_environment_is_the_one_given(machine: Machine, folder: Path) -> None:
    """With env the command sees just that; without it, a plain one with this Python first."""
    path = os.environ["PATH"]
    given = machine.run(["env"], env={"PATH": path, "A": "b c"}, capture_output=True, text=True)
    assert sorted(given.stdout.splitlines()) == sorted(["A=b c", f"PATH={path}"])
    script = "import sys, os; print(sys.prefix, os.getuid())"
    plain = machine.run(["python3", "-c", script], capture_output=True, text=True)
    assert plain.stdout == f"{sys.prefix} 0\n"


def test_arguments_pass_unchanged(machine: Machine, folder: Path) -> None:
    """Arguments with spaces, quotes, newlines and odd bytes arrive as they are."""
    words = [b"a b", b"'\"$x\\", b"line\nline", b"\xff\xfe", b""]
    done = machine.run(["printf", "%s|", *words], capture_output=True)
    assert done.stdout == b"|".join(words) + b"|"


def test_an_editable_install_is_imported(machine: Machine, folder: Path) -> None:
    """What is installed as sources is found in the guest, and at the same path."""
    script = "import userrb; print(userrb.__file__)"
    done = machine.run(["python3", "-c", script], capture_output=True, text=True)
    assert done.stdout == f"{userrb.__file__}\n"


def test_the_clock_is_the_hosts(machine: Machine, folder: Path) -> None:
    """The guest's clock is within two seconds of the host's."""
    guest = float(machine.run(["date", "+%s"], capture_output=True).stdout)
    assert abs(guest - time.time()) < 2


def test_a_guest_without_shared_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the guest sees no PCI, everything crosses the serial line, as intact."""
    monkeypatch.setattr(
        "otherkernel.host.qemu.COMMAND_LINE", "console=ttyS0 panic=-1 quiet pci=off"
    )
    noise = random.Random(5).randbytes(20_000) + ALL_BYTES
    (folder / "noise").write_bytes(noise)
    with Machine("6.1") as machine:
        done = machine.run("tee copy <noise; cat >&2", shell=True, input=noise, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, noise, noise)
    assert (folder / "copy").read_bytes() == noise


def test_several_guests_at_once(folder: Path) -> None:
    """Guests in several threads do not disturb each other."""

    def release(kernel: str) -> str:
        own = folder / kernel
        own.mkdir()
        with Machine(kernel) as machine:
            machine.run("uname -r >release", shell=True, cwd=own, check=True)
            assert machine.release == (own / "release").read_text().strip()
        return machine.release

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(release, ["6.1", "6.12"])
    assert first.startswith("6.1.")
    assert second.startswith("6.12.")

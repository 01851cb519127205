"""Several commands in one guest at a time."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from otherkernel.errors import EmulatorDied, GuestError
from otherkernel.machine import Machine

pytestmark = pytest.mark.vm

SLEEPERS = "ps | grep -c '[s]leep 6'"
Done = subprocess.CompletedProcess[Any]


class Held:
    """A command that says a word when it runs, and ends with its input.

    Args:
        machine: Where.
        script: What it does at its end.
        **options: As of `Machine.run`.
    """

    def __init__(self, machine: Machine, script: str = "true", **options: Any) -> None:  # noqa: ANN401
        self._pool = ThreadPoolExecutor()
        self._held, self._release = os.pipe()
        read, write = os.pipe()

        def run() -> Done:
            words = f"echo go; cat >/dev/null; {script}"
            try:
                return machine.run(words, shell=True, stdin=self._held, stdout=write, **options)
            finally:
                os.close(self._held)
                os.close(write)

        self.done: Future[Done] = self._pool.submit(run)
        with open(read, "rb") as said:
            assert said.readline() == b"go\n"

    def end(self) -> Done:
        """Let it end; return what `Machine.run` does."""
        os.close(self._release)
        self._pool.shutdown()
        return self.done.result()


def test_a_pipeline_runs(machine: Machine, folder: Path) -> None:
    """Three commands pass five mebibytes on to each other through pipes of this machine's."""
    noise = random.Random(6).randbytes(5 << 20)
    (folder / "noise").write_bytes(noise)
    first, second = os.pipe(), os.pipe()

    def run(words: str, stdin: int | None, stdout: int) -> Done:
        done = machine.run(words, shell=True, stdin=stdin, stdout=stdout)
        for end in (stdin, stdout):
            if end is not None and end >= 0:
                os.close(end)
        return done

    with ThreadPoolExecutor() as pool:
        started = [
            pool.submit(run, "cat noise", None, first[1]),
            pool.submit(run, "tr a-y b-z | tr b-z a-y | cat", first[0], second[1]),
            pool.submit(run, "sha256sum", second[0], subprocess.PIPE),
        ]
        done = [each.result() for each in started]
    expected = noise.replace(b"z", b"y")
    assert [each.returncode for each in done] == [0, 0, 0]
    assert done[2].stdout.split()[0].decode() == hashlib.sha256(expected).hexdigest()


def test_many_commands_with_much_output(machine: Machine, folder: Path) -> None:
    """Of twenty commands at once each gets its own output whole, and its own status."""

    def run(number: int) -> Done:
        script = f"yes {number:07} | head -n 40000; echo {number} >&2; exit {number}"
        return machine.run(script, shell=True, capture_output=True)

    with ThreadPoolExecutor(20) as pool:
        for number, done in enumerate(pool.map(run, range(20))):
            assert done.stdout == f"{number:07}\n".encode() * 40000
            assert (done.returncode, done.stderr) == (number, f"{number}\n".encode())


def test_more_than_may_run_wait(machine: Machine, folder: Path) -> None:
    """Of seventy commands some wait for the others, and all of them run."""
    with ThreadPoolExecutor(70) as pool:
        done = pool.map(lambda n: machine.run(["echo", str(n)], capture_output=True), range(70))
        assert [int(each.stdout) for each in done] == list(range(70))


def test_output_that_nobody_reads_holds_up_no_other(machine: Machine, folder: Path) -> None:
    """A command writes on and on into a full pipe, while another one runs to its end."""
    read, write = os.pipe()
    with ThreadPoolExecutor() as pool:
        full = pool.submit(machine.run, ["yes"], stdout=write)
        assert os.read(read, 2) == b"y\n"
        noise = machine.run(["head", "-c", "3000000", "/dev/zero"], capture_output=True)
        assert len(noise.stdout) == 3000000
        os.close(read)
        assert full.result().returncode == -signal.SIGPIPE
    os.close(write)


def test_one_is_killed_while_others_go_on(machine: Machine, folder: Path) -> None:
    """A time limit ends a command and what it has started, and nothing of another command."""
    other = Held(machine, f"{SLEEPERS} >left; exit 7")
    script = "sleep 61 & setsid sleep 62 & (sleep 63; true) & sleep 60"
    with pytest.raises(subprocess.TimeoutExpired):
        machine.run(script, shell=True, timeout=1)
    assert not other.done.done()
    assert other.end().returncode == 7
    assert (folder / "left").read_text() == "0\n"


def test_one_signals_another(machine: Machine, folder: Path) -> None:
    """Commands see each other's processes, and can signal them, as under one kernel."""
    with ThreadPoolExecutor() as pool:
        sleeping = pool.submit(machine.run, "echo $$ >pid; exec sleep 600", shell=True, timeout=60)
        until = "until test -s pid && kill $(cat pid); do :; done"
        machine.run(until, shell=True, check=True, timeout=30)
        assert sleeping.result().returncode == -signal.SIGTERM


def test_background_processes_end_with_their_own_command(machine: Machine, folder: Path) -> None:
    """What a command leaves running ends with it; what another has running does not."""
    other = Held(machine, f"{SLEEPERS} >left")
    machine.run("sleep 61 & echo", shell=True, check=True)
    beside = Held(machine, "true")
    assert machine.run(SLEEPERS, shell=True, capture_output=True).stdout == b"0\n"
    beside.end()
    other.end()
    assert (folder / "left").read_text() == "0\n"


def test_the_files_of_a_shared_directory_come_back(machine: Machine, folder: Path) -> None:
    """Each end brings all that was done until then, and each start sends what is new here."""
    (folder / "old").write_text("old\n")
    first = Held(machine, "cat new >>result; echo end >>result; rm old")
    (folder / "new").write_text("from here\n")
    machine.run("cat old new >result; echo half >other", shell=True, check=True)
    assert (folder / "result").read_text() == "old\nfrom here\n"
    (folder / "newer").write_text("newer")
    first.end()
    assert (folder / "result").read_text() == "old\nfrom here\nfrom here\nend\n"
    assert sorted(os.listdir(folder)) == ["new", "newer", "other", "result"]
    listed = machine.run(["ls"], capture_output=True, text=True)
    assert listed.stdout.split() == ["new", "newer", "other", "result"]


def test_what_changed_here_wins_over_two_commands(machine: Machine, folder: Path) -> None:
    """A file changed here meanwhile goes to the guest with the next command, and stays."""
    (folder / "file").write_text("1")
    first = Held(machine, "cat file >seen", cwd=folder)
    machine.run("echo theirs >other", shell=True, check=True)
    (folder / "file").write_text("mine")
    machine.run("cat file >early", shell=True, check=True)
    first.end()
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "file": "mine",
        "other": "theirs\n",
        "seen": "mine",
        "early": "mine",
    }


def test_nested_directories_take_turns(machine: Machine, folder: Path) -> None:
    """A command in a directory waits for one above it, and then finds what that has left."""
    (folder / "inside").mkdir()
    first = Held(machine, "echo x >inside/made")
    with ThreadPoolExecutor() as pool:
        second = pool.submit(
            machine.run, ["cat", "made"], cwd=folder / "inside", capture_output=True
        )
        first.end()
        assert second.result().stdout == b"x\n"


def test_different_directories_do_not_wait(machine: Machine, tmp_path: Path) -> None:
    """Commands in directories beside each other run at once, each with its own files."""
    for name in ("one", "one-more"):
        (tmp_path / name).mkdir()
    first = Held(machine, "echo 1 >made", cwd=tmp_path / "one")
    machine.run("echo 2 >made", shell=True, cwd=tmp_path / "one-more", check=True)
    first.end()
    assert (tmp_path / "one" / "made").read_text() == "1\n"
    assert (tmp_path / "one-more" / "made").read_text() == "2\n"


def test_a_lost_guest_is_an_error_for_each() -> None:
    """When QEMU dies, each command that runs ends with an error of its own, which says so."""
    with Machine("6.12") as machine, ThreadPoolExecutor() as pool:
        running = [pool.submit(machine.run, ["sleep", "600"], cwd="/") for _ in range(5)]
        held = Held(machine, cwd="/")
        os.kill(machine.process_id, signal.SIGKILL)
        errors = [each.exception() for each in (*running, held.done)]
        assert [type(each) for each in errors] == [EmulatorDied] * 6
        assert len(set(map(id, errors))) == 6
        with pytest.raises(GuestError, match="start another"):
            machine.run(["true"])


def test_a_closed_guest_is_an_error_for_each() -> None:
    """So it is when another thread closes the machine."""
    machine = Machine("6.12")
    held = Held(machine, cwd="/")
    machine.close()
    with pytest.raises(GuestError, match="closed meanwhile"):
        held.done.result()


def test_python_arrives_once_for_all(folder: Path) -> None:
    """Commands that need Python at the same moment all get it, and what they import."""
    with Machine("6.12") as machine, ThreadPoolExecutor() as pool:
        words = ["python3", "-c", "import cffi, json; print(json.dumps([1]))"]
        done = pool.map(lambda _: machine.run(words, capture_output=True), range(4))
        assert [each.stdout for each in done] == [b"[1]\n"] * 4


def test_tidying_up_waits_for_commands(tmp_path: Path) -> None:
    """A guest is tidied up when nothing runs there any more."""
    with Machine("6.12") as machine:
        machine.clean()
        held = Held(machine, cwd="/")
        cleaned = threading.Event()

        def clean() -> None:
            machine.clean(tmp_path)
            cleaned.set()

        thread = threading.Thread(target=clean)
        thread.start()
        assert not cleaned.wait(0.2)
        held.end()
        thread.join()

"""What a session that root runs may do, and what is left of it: tests for root only."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proof.kernel.host import Host
from proof.run.prove import prove
from proof.run.shell import Repeated, repeat
from tests.proof.scratch import Scratch, console

pytestmark = pytest.mark.host
PIN = "sudo bpftool map create /sys/fs/bpf/mine type array key 4 value 4 entries 1 name mine"


def run(*commands: str) -> Repeated:
    """Run commands as the user who runs the tests would see them run."""
    return repeat({"a.txt": "1\n"}, commands, Host())


def printed(*commands: str) -> list[str]:
    """Return what each of the commands printed."""
    return [outcome.output.decode() for outcome in run(*commands).outcomes]


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Make a site of the test's own."""
    return Scratch(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "cat /etc/shadow",
        "touch /usr/touched",
        "bpftool map create /sys/fs/bpf/mine type array key 4 value 4 entries 1 name mine",
        "kill -0 1",
        "ls /root/.bashrc",
        "echo 1 >/proc/sys/kernel/panic",
        "/usr/bin/setpriv --reuid=0 true",
    ],
)
def test_what_needs_sudo_fails_without_it(command: str) -> None:
    """A command of root's session can do no more than that of a reader who forgot sudo."""
    (outcome,) = run(command).outcomes
    assert outcome.status


def test_a_session_has_a_user_and_a_home() -> None:
    """The user has a name, a folder that it may write to, a terminal, and owns the files."""
    said = printed(
        "whoami", "touch ~/x && echo $?", "echo two >/dev/stderr", "echo 2 >>a.txt; cat a.txt"
    )
    assert said == ["nobody\n", "0\n", "two\n", "1\n2\n"]


def test_what_sudo_writes_is_roots() -> None:
    """The session's own user may not change what a command with sudo has made, as for a reader."""
    done = run("sudo sh -c 'echo 1 >b.txt'", "cat b.txt", "echo 2 >>b.txt")
    assert [bool(outcome.status) for outcome in done.outcomes] == [False, False, True]


def test_what_is_in_tmp_is_the_sessions(tmp_path: Path) -> None:
    """Files in /tmp are there for both users of a session, and for nobody else."""
    mine = tmp_path / "mine"
    mine.touch()
    said = printed("echo 1 >/tmp/proof-x", "sudo cat /tmp/proof-x", f"sudo ls {mine}; true")
    assert said[1] == "1\n"
    assert "No such file" in said[2]
    assert not Path("/tmp/proof-x").exists()  # noqa: S108 - a session's, if it were there


def test_pins_are_the_sessions() -> None:
    """Two sessions may use one name in /sys/fs/bpf, and no pin of theirs is on this machine."""
    for _ in range(2):
        done = run(PIN, "sudo ls /sys/fs/bpf/mine")
        assert [outcome.status for outcome in done.outcomes] == [0, 0]
    assert not Path("/sys/fs/bpf/mine").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (PIN, "the pin /sys/fs/bpf/mine"),
        ("sudo mount -t tmpfs none /mnt", " at /mnt"),
        ("sudo env -i setsid sleep 1000 &", ", sleep 1000"),
        ("sudo sh -c 'env -i setsid sleep 1001 >/dev/null 2>&1 &'", ", sleep 1001"),
    ],
)
def test_what_a_session_leaves_fails_its_example(
    scratch: Scratch, command: str, words: str
) -> None:
    """A pin, a mount or a daemon that outlives the last command is named, and is gone."""
    proof = prove(scratch.example(console(f"$ {command}", "$ sudo true")), Host())
    (failure,) = proof.failures
    assert "docs/index.md:7: after the last command something is left" in failure
    assert words in failure
    assert not running("sleep 100[01]")


def test_nothing_is_left_of_an_example_that_tidies_up(scratch: Scratch) -> None:
    """Pins and mounts that the last command removes are nothing that is left."""
    tidy = "sudo sh -c 'rm /sys/fs/bpf/mine; umount /mnt'"
    text = console(f"$ {PIN}", "$ sudo mount -t tmpfs none /mnt", f"$ {tidy}")
    assert not prove(scratch.example(text), Host()).failures


def test_a_killed_engine_leaves_nothing(tmp_path: Path) -> None:
    """After SIGKILL no process of the session's is there, no folder, and no control group."""
    program = """
from proof.kernel.host import Host
from proof.run.shell import repeat
command = "sudo sh -c 'env -i setsid sleep 1002 & sleep 1003'"
repeat({}, [command], Host())
"""
    place = tmp_path / "proof"
    place.mkdir()
    env = {**os.environ, "TMPDIR": str(place)}
    with subprocess.Popen([sys.executable, "-c", program], env=env) as engine:
        until(lambda: running("sleep 1002") and running("sleep 1003"))
        engine.kill()
    until(lambda: not running("sleep 1002") and not running("sleep 1003"))
    until(lambda: not list(place.iterdir()))


def running(command: str) -> bool:
    """Say whether a process with this command line is there."""
    return (
        subprocess.run(["pgrep", "-fx", command], stdout=subprocess.DEVNULL, check=False).returncode
        == 0
    )


def until(happens: Callable[[], object]) -> None:
    """Wait until something happens, which must be soon."""
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""The engine's sessions: a shell such as a reader's, and nothing of it left behind."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from proof.errors import ProofError
from proof.kernel.host import Host
from proof.kernel.protocol import check
from proof.run import shell as session
from proof.run.shell import Repeated, repeat
from tests.proof.scratch import PROBE, chosen

NAP = f"61.{os.getpid()}"
"""Seconds that no other process sleeps, not even of a run of these tests beside this one."""


def run(*commands: str, limit: float = 30, **files: str) -> Repeated:
    """Repeat a session on this machine; `a_py` names the file a.py."""
    return repeat(
        {name.replace("_", "."): text for name, text in files.items()}, commands, chosen(), limit
    )


def outputs(*commands: str) -> list[str]:
    """Repeat a session, which must come to its end, and return what each command printed."""
    result = run(*commands)
    assert not result.ended
    return [o.output.decode() for o in result.outcomes]


def alive(name: str) -> bool:
    """Say whether a process runs whose command line has this argument."""
    return any(
        name.encode() in path.read_bytes().split(b"\0")
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists()
    )


def test_the_shell_lasts() -> None:
    """Directory, variables, functions and `$?` last from one command to the next."""
    assert outputs(
        "mkdir d && cd d",
        "a=1; f() { echo f$a; }",
        "false",
        "echo $?",
        "f; basename $PWD",
        "set -u; set -o pipefail",
        "echo $a",
    ) == ["", "", "", "1\n", "f1\nd\n", "", "1\n"]


def test_the_shell_is_one_that_is_typed_into() -> None:
    """Aliases work, arguments are the reader's own, and nothing happens at the shell's end."""
    assert outputs(
        "echo $#",
        "alias greet='echo hello'",
        "greet",
        "set -- a b; echo $#",
        "echo $1",
        "trap 'echo end' EXIT",
    ) == ["0\n", "", "hello\n", "2\n", "a\n", ""]


def test_commands_of_several_lines() -> None:
    """Here-documents and functions over several lines are one command."""
    assert outputs("cat <<'X'\n$a\n\nX", "for i in 1 2; do\n  echo $i\ndone") == [
        "$a\n\n",
        "1\n2\n",
    ]


def test_output_has_the_order_of_a_terminal() -> None:
    """What goes to standard output and to standard error comes in the order it was printed."""
    program = (
        "import sys\nfor i in range(3):\n    print(i)\n    print(-i, file=sys.stderr)\n"
        "raise OSError('x')\n"
    )
    result = run("python3 a.py", a_py=program)
    assert result.outcomes[0].output.startswith(b"0\n0\n1\n-1\n2\n-2\nTraceback")
    c = '#include <stdio.h>\nint main(void) { puts("1"); fputs("2\\n", stderr); puts("3"); }\n'
    assert run("cc a.c -o a", "./a", a_c=c).outcomes[1].output == b"1\n2\n3\n"


def test_the_directory_is_empty_and_goes_away() -> None:
    """A session begins with the example's files only, and nothing of it remains."""
    result = run("ls -A", "touch left", one_txt="1\n")
    assert result.outcomes[0].output == b"one.txt\n"
    assert not Path(result.directory).exists()


@pytest.mark.host
def test_what_is_mounted_there_is_kept() -> None:
    """What a session mounts in its directory is unmounted, not removed with the directory."""
    # Not in /tmp, where a session sees only files of its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        kept = Path(folder, "kept")
        kept.write_text("1\n")
        mount = f"sudo mount --bind {folder} 'a b'"
        result = run("mkdir 'a b' c", mount, "sudo mount -t tmpfs c c")
        assert [o.status for o in result.outcomes] == [0, 0, 0]
        assert kept.read_text() == "1\n"
    assert not Path(result.directory).exists()
    assert result.directory not in Path("/proc/mounts").read_text()


def test_what_cannot_be_removed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A session that leaves what cannot be removed ends in an error with advice, no traceback."""

    def refuse(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", "i")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(ProofError, match=r"left what cannot be removed .*not permitted: 'i'"):
        run("touch i")


def test_files_may_lie_in_directories() -> None:
    """A file's name may have directories."""
    done = repeat({"src/a/b.txt": "über\n"}, ["cat src/a/b.txt"], chosen())
    assert done.outcomes[0].output.decode() == "über\n"


@pytest.mark.parametrize("name", ["x" * 300, "a/b"])
def test_a_file_that_cannot_be_written_is_named(name: str) -> None:
    """A name that is too long, or below another file, is an error with advice."""
    with pytest.raises(ProofError, match=f"the file '{name}' of an example cannot be written"):
        repeat({"a": "1", name: "2"}, ["true"], Host())


def test_the_environment_is_a_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH begins with the virtual environment, and nothing of the caller's is there."""
    monkeypatch.setenv("MAKEFLAGS", "-j9")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    names, python, lang = outputs(
        "compgen -e | sort | tr '\\n' ' '", "command -v python3", "echo $LANG"
    )
    assert set(names.split()) <= {
        *("HOME", "LANG", "LOGNAME", "PAGER", "PATH", "SHELL", "TERM", "USER", "PROOF_SESSION"),
        *("OLDPWD", "PWD", "SHLVL", "_"),
    }
    assert Path(python.strip()).parent == Path(sys.executable).parent
    assert lang == "C.UTF-8\n"


def test_standard_input_is_empty() -> None:
    """A command that reads finds the end at once and does not hang."""
    assert outputs("cat; read x; echo $?") == ["1\n"]


@pytest.mark.parametrize("command", ["exit", "exit 3", "(true); exec true", "kill -9 $$"])
def test_the_end_of_the_shell_is_seen(command: str) -> None:
    """A command that ends the shell is found out, also as the last one."""
    for commands in ([command], ["true", command, "true"]):
        result = run(*commands)
        assert "ended the shell" in result.ended
        assert result.outcomes[-1].status is None
        assert len(result.outcomes) == commands.index(command) + 1


def test_a_hang_is_killed() -> None:
    """A command that does not end is killed at the limit, with its output kept."""
    start = time.monotonic()
    result = run("echo first", f"echo second; sleep {NAP}", "echo third", limit=1)
    assert time.monotonic() - start < 5
    assert "did not end within the 1 seconds" in result.ended
    assert [(o.output, o.status) for o in result.outcomes] == [(b"first\n", 0), (b"second\n", None)]
    assert not alive(NAP)


def test_what_stays_in_the_background_is_killed() -> None:
    """No process of a session outlives it, not even in a session of its own or below sudo."""
    result = run(
        f"sleep {NAP} &",
        f"setsid sleep {NAP} &",
        f"trap '' TERM HUP; (trap '' TERM; sleep {NAP}) &",
        f"sudo setsid sleep {NAP} & sleep 0.3",
        f"env -i setsid sleep {NAP} >/dev/null 2>&1 &",
        f"(cd /; env -i setsid sleep {NAP} 2>/dev/null) & sleep 0.3",
    )
    assert not result.ended
    assert not alive(NAP)


def test_jobs_can_be_waited_for() -> None:
    """A job that one command starts is there for the next."""
    assert outputs("(sleep 0.1; echo job) &", "wait; echo waited")[1].endswith("waited\n")


def test_jobs_that_go_on_printing_do_not_hold_up_the_end() -> None:
    """A session ends with its last command, whatever still prints in the background."""
    start = time.monotonic()
    assert not run("(while sleep 0.01; do echo tick; done) &", "true").outcomes[1].status
    assert time.monotonic() - start < 5


def test_endless_output_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that prints without end is killed before it fills the memory."""
    monkeypatch.setattr(session, "_OUTPUT_LIMIT", 1 << 16)
    assert "printed more than 65536 bytes" in run("yes").ended


def test_the_shell_complains_as_one_that_is_typed_into() -> None:
    """Bash's own messages have no line number, which a reader would not see."""
    (outcome,) = run("nosuchprogram").outcomes
    assert (outcome.output, outcome.status) == (b"bash: nosuchprogram: command not found\n", 127)


def test_sudo_has_a_path_of_its_own() -> None:
    """Sudo does not find the virtual environment's Python, unless it is named in full."""
    show = "-c 'import sys; print(sys.prefix)'"
    venv, plain, full = outputs(
        f"python3 {show}", f"sudo python3 {show}", f'sudo "$(command -v python3)" {show}'
    )
    assert venv == full == sys.prefix + "\n"
    assert plain != venv


def test_sudo_resets_the_environment() -> None:
    """Sudo passes on what it is given as VAR=value, and little else."""
    kept, given, path = outputs(
        "export A=1; sudo sh -c 'echo \"$A$LANG\"'",
        "sudo A='x y' B=$'it\\'s' sh -c 'echo \"$A $B\"'",
        "sudo sh -c 'echo $PATH'",
    )
    assert kept == "C.UTF-8\n"
    assert given == "x y it's\n"
    assert path == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"


def test_sudo_passes_arguments_and_status_on() -> None:
    """Arguments arrive as they were, in the same directory, and the status comes back."""
    result = run(
        "mkdir d; cd d",
        "sudo printf '<%s>' 'a b' '' \"it's\"",
        "sudo sh -c 'exit 7'",
        "sudo nosuch",
    )
    assert [o.status for o in result.outcomes] == [0, 0, 7, 1]
    assert result.outcomes[1].output == b"<a b><><it's>"
    assert result.outcomes[3].output == b"sudo: nosuch: command not found\n"


def test_only_sudo_loads_bpf_programs() -> None:
    """What lacks its `sudo` is refused, also where root runs the session."""
    files = {"look.py": PROBE.read_text(encoding="utf-8")}
    look = f"'{sys.executable}' look.py"
    first, second = repeat(files, [look, f"sudo {look}"], chosen()).outcomes
    assert json.loads(first.output)["refusal"].endswith("(a container may drop them)")
    assert json.loads(second.output)["refusal"] is None


def test_sudo_hands_signals_on() -> None:
    """A signal for `sudo` reaches its command, and that of the command is its status."""
    trap = "trap 'echo caught; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    commands = [f'timeout 1 sudo sh -c "{trap}"', "echo $?", "sudo sh -c 'kill -9 $$'", "echo $?"]
    outputs = [outcome.output for outcome in repeat({}, commands, Host()).outcomes]
    assert outputs[0] == b"up\ncaught\n"
    assert outputs[1] == b"124\n"
    assert outputs[3] == b"137\n"


def test_sudo_in_a_pipe_and_twice_at_once() -> None:
    """`sudo` reads what is piped into it, and two of them may wait for each other."""
    both = "mkfifo a; sudo cat a & sudo sh -c 'echo through >a'; wait"
    run = repeat({}, ["echo typed | sudo cat | sudo tr a-z A-Z", both], Host())
    assert [outcome.output for outcome in run.outcomes] == [b"TYPED\n", b"through\n"]


@pytest.mark.parametrize(
    ("command", "last"),
    [
        ("umask 0; sudo touch f; stat -c %a f", "644"),
        ("mkdir d; cd d; rmdir ../d; sudo true; echo $?; cd ..", "0"),
        ("sudo cat <&-; sudo true >&-; echo $?", "0"),
        ("seq 100000 | sudo cat | tail -n 1", "100000"),
        ("for i in 1 2 3 4 5; do sudo true || echo $i; done; echo $?", "0"),
    ],
)
def test_sudo_takes_streams_and_directory_as_they_are(command: str, last: str) -> None:
    """Pipes, closed streams and a lost directory work, and files come out readable."""
    (outcome,) = repeat({}, [command], Host()).outcomes
    assert (outcome.output.decode().splitlines()[-1], outcome.status) == (last, 0)


@pytest.mark.host
def test_strangers_with_terminals_of_that_name_live() -> None:
    """The end of a session kills nobody whose terminal has the same name in another place."""
    private = "mount -t devpts -o newinstance,ptmxmode=666 none /dev/pts"
    script = (
        "import os, sys, time\n"
        "for master, slave in [os.openpty() for _ in range(64)]:\n"
        "    if not os.fork():\n"
        "        os.dup2(slave, 1); os.dup2(slave, 2); time.sleep(60)\n"
        "open(sys.argv[1], 'w').close(); os.wait()\n"  # ends with the first of them
    )
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder, "ready")
        inside = f'{private}; mount --bind /dev/pts/ptmx /dev/ptmx; exec "$@"'
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        command = ["sh", "-c", inside, "sh", sys.executable, "-c", script, str(ready)]
        with subprocess.Popen([*namespaces, *command], cwd="/") as strangers:
            try:
                while not ready.exists():
                    assert strangers.poll() is None
                    time.sleep(0.01)
                name = run("tty <&1").outcomes[0].output.decode().strip()
                assert name in {f"/dev/pts/{number}" for number in range(64)}
                assert strangers.poll() is None
            finally:
                strangers.kill()


def test_what_hides_from_a_session_ends_with_it() -> None:
    """A command without the session's mark, place and streams does not hold up the end."""
    hidden = "(cd / && sudo env -i sleep 100 >/dev/null 2>&1) &"
    started = time.monotonic()
    repeat({}, [hidden, "sleep 0.5"], Host(), 5)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("command", "called"),
    [
        ("sudo true", True),
        ("X=1 sudo true", True),
        ("timeout 5 sudo true", True),
        ("S=sudo; $S true", True),
        ("echo `sudo echo a`", True),
        ("f() { sudo true; }; f", True),
        ("echo install sudo first", False),
        ("sudo() { true; }; sudo", False),
    ],
)
def test_what_called_sudo_is_seen(command: str, called: bool) -> None:
    """Whether a command ran on the kernel is known from what it did, not from its words."""
    outcomes = run("true", command, "true").outcomes
    assert [outcome.on_kernel for outcome in outcomes] == [False, called, False]


def test_no_end_of_a_command_can_be_forged() -> None:
    """What a command finds in its environment and its parent's command line is no end mark."""
    words = r"{ tr '\0' '\n' </proc/$PPID/cmdline; tr '\0' '\n' </proc/$$/cmdline; env; }"
    mark = r"printf '\036%s 0000 0 0 0\n' $t"
    forge = f"for t in $({words} | grep -oE '[0-9a-f]{{16}}'); do {mark}; done"
    outcome = run(f"{forge}; false", "true").outcomes[0]
    assert (outcome.status, b"\x1e" in outcome.output) == (1, True)


def test_this_kernel_is_fit() -> None:
    """The kernel that the tests run on lets us create a user ring buffer."""
    check(chosen())


def test_want_of_privilege_is_an_error_with_advice() -> None:
    """A user without privilege is told to become root, and nothing is skipped."""
    probe = runpy.run_path(str(PROBE))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # the test's own process must stay what it is
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        os.write(write, str(probe["refusal"](os.uname(), "1.1")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    assert "run this as root" in os.read(read, 4096).decode()
    os.close(read)


def test_too_old_a_kernel_is_an_error_with_advice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A kernel that does not know the map type is named, with the version that it takes."""
    probe = tmp_path / "probe.py"
    text = PROBE.read_text(encoding="utf-8")
    probe.write_text(text.replace("USER_RINGBUF = 31", "USER_RINGBUF = 9999"), encoding="utf-8")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ProofError, match=r"needs Linux 6\.1 or newer"):
        check(Host(probe))


def test_no_sudo_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is not root and has no sudo is told what to install."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ProofError, match="apt-get install sudo"):
        check(Host(PROBE))


@pytest.mark.host
def test_a_user_probes_through_sudo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who may use sudo has the kernel tried with it, and is told when it asks too much."""
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    sudo.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    check(Host(PROBE))
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    with pytest.raises(ProofError, match=r"run `sudo -v` in this terminal first"):
        check(Host(PROBE))


@pytest.mark.parametrize(
    ("commands", "failed"),
    [
        (["(exit 3) &"], [3]),
        (["(sleep 0.2; exit 3) &", "echo", "sleep 0.4"], [0, 0, 3]),
        (["(sleep 0.1; exit 3) & sleep 1 &", "sleep 0.3"], [0, 3]),
        (["(exit 3) & wait $!; echo $?"], [0]),
        (["sleep 50 &", "kill $!", "sleep 0.1"], [0, 0, 0]),
        (["true &", "sleep 0.1"], [0, 0]),
        (["sleep 50 &"], [0]),
    ],
)
def test_a_job_in_the_background_is_seen_to_fail(commands: list[str], failed: list[int]) -> None:
    """The command during which a job failed has its status, unless the page waits or kills."""
    assert [outcome.job for outcome in run(*commands).outcomes] == failed

"""Commands to output: repeat a session as a reader would, in one shell and an empty directory.

The commands run one after another in one bash, so that `cd`, variables, functions, `$?` and jobs
last from one to the next. They write to a terminal, as they would for a reader: programs decide by
that whether to print each line at once, and so in which order output and errors appear.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from proof.errors import ProofError
from proof.kernel import sudo
from proof.kernel.protocol import Kernel
from proof.kernel.sandbox import Free, confined
from proof.run.directory import private_directory
from proof.run.interrupt import Interrupts
from proof.run.opened import Watch

LIMIT = 60.0
"""Seconds that a session may take unless told otherwise."""

_OUTPUT_LIMIT = 4 << 20
"""Bytes that a session may print: enough for any page, too few to fill the memory."""

_LAST_WORDS = 1.0
"""Seconds that a shell's last output may take from one end of the terminal to the other."""

_KILL_LIMIT = 10.0
"""Seconds within which what was killed must be gone."""

_MARK = "PROOF_SESSION"
"""Environment variable by which a session's processes are found, whatever has become of them."""

# PATH as Debian gives it to a user who is not root: without the sbin directories.
PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
"""Where a session finds its programs, after `sudo`."""

# After each command a mark goes to descriptor 9, which the commands do not get.
# A shell that is typed into expands aliases, has no arguments, and stays after the last command.
_DRIVER = r"""
exec 9>&1
shopt -s expand_aliases
__proof_typed=$1 __proof_end=$2 __proof_calls=$3
read -r __proof_token
exec </dev/null
set --
trap : INT
__proof_status() { return "$1"; }
declare -A __proof_jobs=()
__proof_last=0 __proof_job=
# Sets __proof_failed to the status of a job in the background that failed, unless the page waits.
__proof_look() {
    local job status
    [ "${!-}" = "$__proof_job" ] || { __proof_job=$!; __proof_jobs[$!]=; }
    for job in $(builtin jobs -p); do __proof_jobs[$job]=; done
    [ "${__proof_file##*/}" != "$__proof_end" ] || [ ${#__proof_jobs[@]} = 0 ] || command sleep 0.05
    __proof_failed=0
    for job in "${!__proof_jobs[@]}"; do
        builtin kill -0 "$job" 2>/dev/null && continue
        unset "__proof_jobs[$job]"
        status=0
        builtin wait "$job" 2>/dev/null || status=$?
        # From 126 on it is of a signal, or bash knows no more.
        [ $status -gt 125 ] || [[ $__proof_text = *wait* ]] || __proof_failed=$status
    done
}
for __proof_file in "$__proof_typed"/*; do
    __proof_text=$(<"$__proof_file")
    __proof_status "$__proof_last"
    eval "$__proof_text" </dev/null 9>&-
    __proof_last=$?
    [ "${__proof_file##*/}" != "$__proof_end" ] || trap - EXIT
    builtin mapfile -t __proof_sudos <"$__proof_calls"
    __proof_look 9>&-
    builtin printf '\036%s %s %d %d %d\n' "$__proof_token" "${__proof_file##*/}" "$__proof_last" \
        "${#__proof_sudos[@]}" "$__proof_failed" >&9
done
"""


@dataclass(frozen=True)
class Outcome:
    """What came of a command.

    Attributes:
        output: What it printed, on standard output and standard error, in the terminal's order.
        status: Its exit status; None if it did not come to an end.
        on_kernel: Whether it called `sudo`, by whatever way.
        job: The status of a command in the background that failed meanwhile; 0 if none did.
    """

    output: bytes
    status: int | None
    on_kernel: bool = False
    job: int = 0


@dataclass(frozen=True)
class Repeated:
    """What came of a session.

    Attributes:
        outcomes: One for each command that was started.
        ended: Why the session stopped early, in words; "" if every command ran.
        directory: The directory that it ran in, which is gone.
        opened: Names of the files that a command opened.
        seconds: What the commands took, of all the time that the session did.
        left: What the session left behind, in words: it is gone as well.
    """

    outcomes: tuple[Outcome, ...]
    ended: str
    directory: str
    opened: frozenset[str]
    seconds: float
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """What a session has beside what the page says.

    Attributes:
        files: The text of further files by their names, or a folder whose files are copied.
        environment: Further variables. In PATH, folders that come after the session's own.
    """

    files: Mapping[str, str] | Path = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def put(self, home: Path) -> None:
        """Put the files into the session's directory.

        Raises:
            ProofError: They cannot be read.
        """
        if not isinstance(self.files, Path):
            _write(home, self.files)
            return
        try:
            shutil.copytree(self.files, home, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise ProofError(f"{self.files}: cannot be copied for an example: {error}") from error

    def extend(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the session's environment with these variables."""
        path = ":".join(filter(None, (env["PATH"], self.environment.get("PATH"))))
        return {**env, **self.environment, "PATH": path}


NOTHING = Given()


def repeat(
    files: Mapping[str, str],
    commands: Sequence[str],
    kernel: Kernel,
    limit: float = LIMIT,
    given: Given = NOTHING,
    awaited: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> Repeated:
    """Write the files into an empty directory and run the commands there.

    Args:
        files: Text of each file, by its name.
        commands: The commands, which bash takes one at a time.
        kernel: Where those that begin with `sudo` run.
        limit: Seconds after which everything still running is killed.
        given: What else the session has; a file of the page takes the place of one of these.
        awaited: For the numbers of commands to interrupt, the lines that they print before.
    """
    with private_directory() as private:
        names = ("example", "home", "bin", "commands")
        home, own, tools, typed = folders = [private / name for name in names]
        for directory in folders:
            directory.mkdir()
            directory.chmod(0o755)  # whatever the umask; no other user comes to where they are
        given.put(home)
        _write(home, files)
        for number, command in enumerate(commands):
            (typed / f"{number:04}").write_text(command, encoding="utf-8", newline="")
        token, end = secrets.token_hex(8), f"{len(commands) - 1:04}"
        arguments = [
            "bash",
            "--norc",
            "--noprofile",
            "-c",
            _DRIVER,
            "bash",
            str(typed),
            end,
            str(tools / sudo.CALLS),
        ]
        mark = secrets.token_hex(8)
        last = f"\x1e{mark} {end} ".encode()
        watched = {name: home / name for name in files}
        with (
            confined(private, folders) as place,
            kernel.session(tools, home, place),
            Watch(watched) as watch,
        ):
            place.give(home)
            place.give(own)
            env = given.extend(environment(place.user, own, tools, token))
            started = time.monotonic()
            output, reason = _drive(arguments, home, place, env, limit, mark, last, awaited)
            seconds = time.monotonic() - started
            opened = watch.opened()
        outcomes, ended = _outcomes(output, mark, len(commands), reason)
        return Repeated(outcomes, ended, str(home), opened, seconds, place.left)


def _write(home: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = home / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise ProofError(
                f"the file {name!r} of an example cannot be written ({error.strerror}); give"
                " it another title"
            ) from error


def environment(user: pwd.struct_passwd, own: Path, tools: Path, token: str) -> dict[str, str]:
    """Return the environment of a reader who has activated the virtual environment in use.

    It is made from nothing, so that no setting of the caller's decides what an example prints.
    """
    return {
        # An unprivileged user's may be a folder that is not there.
        "HOME": user.pw_dir if user.pw_uid == os.getuid() else str(own),
        "LANG": "C.UTF-8",
        "LOGNAME": user.pw_name,
        "PAGER": "cat",
        "PATH": f"{tools}:{PATH}",
        "SHELL": "/bin/bash",
        "TERM": "dumb",
        "USER": user.pw_name,
        _MARK: token,
    }


def _drive(
    arguments: Sequence[str],
    home: Path,
    place: Free,
    env: Mapping[str, str],
    limit: float,
    mark: str,
    last: bytes,
    awaited: Mapping[int, Sequence[str]],
) -> tuple[bytes, str]:
    master, slave = os.openpty()
    terminal = os.fstat(slave)
    os.fchown(slave, place.user.pw_uid, -1)  # for whoever opens /dev/stderr
    tty.setraw(slave)  # no echo, and a newline stays a newline
    # Not as an argument or in the environment, where a command would find it.
    told, tell = os.pipe()
    os.write(tell, f"{mark}\n".encode())
    os.close(tell)
    try:
        with subprocess.Popen(
            place.reader(["env", f"--chdir={home}", "--default-signal=INT", *arguments]),
            env=env,
            stdin=told,
            stdout=slave,
            stderr=slave,
            # A group, not a session, of its own: sudo may ask the reader's terminal.
            process_group=0,
        ) as shell:
            os.close(told)
            os.close(slave)  # so that the terminal ends with the last process that has it
            interrupts = Interrupts(awaited, mark, lambda: os.killpg(shell.pid, signal.SIGINT))
            try:
                return _read(master, shell, limit, last, interrupts)
            finally:
                _kill(shell)
                if not place.ends_all:
                    _kill_left(env[_MARK], home, terminal)
    finally:
        os.close(master)


def _read(
    master: int,
    shell: subprocess.Popen[bytes],
    limit: float,
    last: bytes,
    interrupts: Interrupts,
) -> tuple[bytes, str]:
    """Read what the session prints up to the mark `last`, its end, or a limit."""
    output = bytearray()
    deadline = time.monotonic() + limit
    ended = False
    while time.monotonic() < deadline:
        if shell.poll() is not None and not ended:
            # A shell that ended before the last mark may leave jobs that hold the terminal; what
            # it wrote itself has a moment to arrive.
            ended = True
            deadline = min(deadline, time.monotonic() + _LAST_WORDS)
        interrupts.look(output)
        if not select.select([master], [], [], 0.02)[0]:
            continue
        try:
            output += os.read(master, 1 << 16)
        except OSError:  # EIO: no process has the terminal any more
            with contextlib.suppress(subprocess.TimeoutExpired):
                shell.wait(max(0, deadline - time.monotonic()))
                return bytes(output), ""
            break
        if last in output[-(1 << 17) :] and output.endswith(b"\n"):
            return bytes(output), ""
        if len(output) > _OUTPUT_LIMIT:
            return bytes(output), f"printed more than {_OUTPUT_LIMIT} bytes"
    return bytes(output), "" if ended else f"did not end within the {limit:g} seconds of a session"


def _kill(shell: subprocess.Popen[bytes]) -> None:
    """Kill the shell's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()


def _kill_left(token: str, home: Path, terminal: os.stat_result) -> None:
    """Kill what left the shell's process group (with setsid, say), found by what it kept."""
    deadline = time.monotonic() + _KILL_LIMIT
    while left := [*_marked(token), *_at(home, terminal)]:
        if time.monotonic() > deadline:
            raise ProofError(f"the processes {left} of a session cannot be killed; look at them")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _marked(token: str) -> Iterator[int]:
    wanted = f"{_MARK}={token}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if wanted in (path / "environ").read_bytes().split(b"\0"):
                yield int(path.name)


def _at(home: Path, terminal: os.stat_result) -> Iterator[int]:
    """Yield the processes that work in the session's directory or write to its terminal.

    A terminal's name says nothing: a container has a /dev/pts/0 of its own.
    """
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if (path / "cwd").readlink().is_relative_to(home):
                yield int(path.name)
                continue
        for link in ("fd/1", "fd/2"):
            with contextlib.suppress(OSError):
                if os.path.samestat((path / link).stat(), terminal):
                    yield int(path.name)
                    break


def _outcomes(output: bytes, mark: str, count: int, reason: str) -> tuple[tuple[Outcome, ...], str]:
    # A shell that is typed into does not count lines when it complains.
    output = re.sub(rb"(?m)^bash: line \d+: ", b"bash: ", output)
    pieces = re.split(rb"\x1e%s \d+ (\d+) (\d+) (\d+)\n" % mark.encode(), output)
    # Text, status, calls of sudo so far, status of a job; what follows is of a command that was cut
    # off.
    done: list[Outcome] = []
    calls = 0
    for text, *rest in zip(*(pieces[start:-1:4] for start in range(4)), strict=True):
        status, so_far, job = map(int, rest)
        done.append(Outcome(text, status, so_far > calls, job))
        calls = so_far
    if len(done) < count:
        done.append(Outcome(pieces[-1], None))
        reason = reason or "ended the shell, in which the reader has yet to type"
    elif pieces[-1] and done:
        done[-1] = replace(done[-1], output=done[-1].output + pieces[-1])
    return tuple(done), reason

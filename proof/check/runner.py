"""Programs and scripts of others, run: in a guest without network, or on this machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from proof.errors import KernelLost, ProofError
from proof.kernel.other import OtherKernel
from proof.kernel.sandbox import Free

SECONDS = 10.0
"""What each block may take."""

_LOAD = r"""
trap 'rm -rf /sys/fs/bpf/proof-check' EXIT
bpftool prog loadall "$1" /sys/fs/bpf/proof-check 2>&1
"""
# After each command comes a mark with its status, which the commands do not know.
_TYPE = r"""
read -r __token
__typed=$PWD/typed
cd home
sudo() { "$@"; }
for __file in "$__typed"/*; do
    eval "$(cat "$__file")" </dev/null 2>&1
    printf '\036%s %d\n' "$__token" $?
done
"""


class Runner(Protocol):
    """Where blocks of others run."""

    def run(self, words: Sequence[str], cwd: Path, said: str = "") -> tuple[int, str]:
        """Run a command; return its status, or -1 if it did not end, and what it printed.

        Args:
            words: The command.
            cwd: A folder whose files it finds.
            said: Its standard input.
        """


class Guest:
    """A virtual machine, booted again when it was lost.

    Args:
        kernel: Its kernel.
    """

    def __init__(self, kernel: OtherKernel) -> None:
        self._kernel = kernel

    def run(self, words: Sequence[str], cwd: Path, said: str = "") -> tuple[int, str]:
        """See `Runner.run`."""
        try:
            return self._kernel.run(words, cwd, SECONDS, said)
        except KernelLost as error:
            return -1, error.how
        except ProofError as error:
            return -1, str(error)


class Here:
    """This machine.

    Args:
        place: What commands are confined to; where root runs this, they still run as root.
    """

    def __init__(self, place: Free) -> None:
        self._place = place

    def run(self, words: Sequence[str], cwd: Path, said: str = "") -> tuple[int, str]:
        """See `Runner.run`."""
        try:
            done = subprocess.run(
                self._place.root(["env", f"--chdir={cwd}", *words]),
                input=said,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return -1, f"it did not end within {SECONDS:g} seconds"
        return done.returncode, done.stdout


def load(runner: Runner, program: Path) -> str:
    """Load a BPF object; return why the kernel or libbpf refuses it, or ""."""
    status, said = runner.run(["sh", "-c", _LOAD, "sh", program.name], program.parent)
    if status == 0:
        return ""
    lines = [line for line in said.splitlines() if line.strip()]
    # The verifier's last word stands above its statistics.
    end = next((n for n, line in enumerate(lines) if line.startswith("processed ")), 0)
    if end:
        return f"verifier: {lines[end - 1]}"
    return next((n for n in lines if n.startswith("libbpf: ")), (lines or ["bpftool failed"])[0])


def run(runner: Runner, words: Sequence[str], folder: Path) -> str:
    """Run a program or a script; return why it failed, or ""."""
    status, said = runner.run(words, folder)
    if status == 0:
        return ""
    lines = [line for line in said.splitlines() if line.strip()]
    if status < 0:
        return (lines or ["it did not end"])[-1]
    return (lines or [f"status {status}"])[-1]


def type_commands(
    runner: Runner, commands: Sequence[str], files: Mapping[str, str], folder: Path, token: str
) -> list[tuple[str, int]]:
    """Type commands into a shell in a folder with files; return what each printed, and its status.

    The list is shorter than that of the commands if the shell did not get to the end.
    """
    typed, home = folder / "typed", folder / "home"
    typed.mkdir()
    home.mkdir()
    for number, command in enumerate(commands):
        (typed / f"{number:04}").write_text(command, encoding="utf-8")
    for name, text in files.items():
        path = home / name
        if path.resolve().is_relative_to(home.resolve()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    _, said = runner.run(["bash", "-c", _TYPE], folder, f"{token}\n")
    pieces = re.split(rf"\x1e{token} (\d+)\n", said)
    return [(text, int(status)) for text, status in zip(pieces[::2], pieces[1::2], strict=False)]

"""`python -m userrb demo`, and the BPF object that ships for it."""

from __future__ import annotations

import errno
import hashlib
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import userrb
from userrb import demo
from userrb.__main__ import main

ROOT = Path(__file__).parent.parent.parent
MADE = ROOT / "tests/bpf/demo.made"

AS_NOBODY = (
    "import os, sys, userrb.__main__ as command\n"
    "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    "sys.exit(command.main(sys.argv[1:]))\n"
)


def code(path: Path) -> dict[str, bytes]:
    """Returns an object's instructions and what relocates them, without its types and lines."""
    # A guest has no need of it.
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    with path.open("rb") as file:
        sections = {section.name: section.data() for section in ELFFile(file).iter_sections()}
    return {name: sections[name] for name in (".text", "syscall", ".rel.text", ".relsyscall")}


@pytest.mark.kernel
def test_what_is_sent_arrives(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo fills the ring twice, and the kernel takes every sample in order."""
    assert main(["demo"]) == 0
    said = capsys.readouterr()
    assert re.search(r"131,073 samples sent, 131,073 taken by the kernel", said.out)
    assert said.out.count("RingFull") == 2
    assert said.err == ""


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1), (2, 1)])
@pytest.mark.kernel
def test_a_sample_lost_twice_or_out_of_order_is_noticed(numbers: tuple[int, ...]) -> None:
    """The demo's program returns -1 unless the numbers are those that were sent."""
    with demo.load() as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
        for number in numbers:
            ring.write(struct.pack("=Q", number))
        assert bpf.programs["drain"].test_run().retval == -1


def test_the_shipped_object_is_of_the_shipped_source() -> None:
    """Neither was changed without the other: make object."""
    made = MADE.read_text().splitlines()
    for name in ("userrb/demo.bpf.c", "userrb/demo.bpf.o"):
        assert f"{hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}  {name}" in made


@pytest.mark.host
def test_the_source_compiled_here_does_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object compiled from the source passes the demo; the same clang makes the same code."""
    ours = tmp_path / "demo.bpf.o"
    subprocess.run([ROOT / "tools/demo-object", ours], check=True)
    clang = subprocess.run(["clang", "--version"], check=True, capture_output=True, text=True)
    if MADE.read_text().splitlines()[-1] in re.findall(r"clang version [\d.]+", clang.stdout):
        assert code(ours) == code(demo.OBJECT)
    monkeypatch.setattr(demo, "OBJECT", ours)
    assert main(["demo"]) == 0
    assert "131,073 taken" in capsys.readouterr().out


@pytest.mark.kernel
def test_without_privilege_one_line_says_what_to_do() -> None:
    """As nobody the demo ends with status 1, one line, and the command that would work."""
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "demo"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"sudo {sys.executable} -m userrb demo" in done.stderr


def test_an_old_kernel_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kernel without the map type ends the demo with status 1 and one line that names it."""

    def refuse(path: Path) -> userrb.BpfObject:
        words = f"loading {path} into the kernel: Linux 5.15 has no user ring buffer"
        raise userrb.KernelTooOld(errno.EINVAL, words)

    monkeypatch.setattr(demo, "BpfObject", refuse)
    assert main(["demo"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("userrb demo: loading demo.bpf.o into the kernel: Linux 5.15 has no")
    assert said.count("\n") == 1


def test_a_big_endian_machine_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shipped object is for little-endian machines, and others are told."""
    monkeypatch.setattr(sys, "byteorder", "big")
    assert main(["demo"]) == 1
    assert "this one is big-endian" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["doctor", "demo"])
@pytest.mark.kernel
def test_a_command_without_standard_output_says_it_with_its_status(command: str) -> None:
    """Where a shell has closed standard output, only the exit status tells."""
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "userrb", command]
    done = subprocess.run(shell, check=True, stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""

"""The extension module: imported twice, in two interpreters, and on 32 bits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.userrb.rig import ROOT

USE = """
import sys, userrb
with userrb.BpfObject({path!r}) as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    with ring.reserve(8) as sample:
        sample[:] = bytes(8)
    assert isinstance(sample, userrb.Sample)
    assert bpf.programs["drain"].test_run().retval == 1
    try:
        ring.reserve(1 << 20)
    except userrb.SampleTooLarge:
        print("caught", flush=True)
    ring.close()
    try:
        ring.write(b"")
    except userrb.RingClosed:
        print("caught", flush=True)
"""


def run(program: str) -> str:
    """Run a program in a process of its own; return what it prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_second_import_raises_exceptions_of_its_own(compile_bpf: Callable[[str], Path]) -> None:
    """After a purge of sys.modules, what C raises is caught as what the new package has."""
    use = USE.format(path=str(compile_bpf("drain")))
    purge = "for name in [n for n in sys.modules if n.startswith('userrb')]: del sys.modules[name]"
    assert run(use + purge + use).split() == ["caught"] * 4


def test_each_interpreter_has_exceptions_of_its_own(compile_bpf: Callable[[str], Path]) -> None:
    """In a subinterpreter, what C raises is caught as what its package has."""
    use = USE.format(path=str(compile_bpf("drain")))
    name = "_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters"
    config = "" if sys.version_info < (3, 13) else "'legacy'"
    inner = f"import {name} as inner\ninner.run_string(inner.create({config}), {use!r})\n"
    assert run(use + inner + use).split() == ["caught"] * 6


def test_a_build_for_32_bits_fails_with_words() -> None:
    """The compiler says why before it stumbles over anything else."""
    command = [
        "cc",
        "-D__SIZEOF_POINTER__=4",
        "-w",
        "-E",
        "-o",
        "/dev/null",
        str(ROOT / "userrb/csrc/core.h"),
    ]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compiled.returncode
    first = next(line for line in compiled.stderr.splitlines() if "error:" in line)
    assert "userrb needs a 64-bit machine" in first

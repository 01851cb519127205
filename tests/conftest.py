"""What the tests share: BPF objects built once, a loaded object, a ring, a virtual machine."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import userrb

if TYPE_CHECKING:
    from proof.vm.machine import Vm

ROOT = Path(__file__).parent.parent
BPF = ROOT / "tests/bpf"


@pytest.fixture(scope="session")
def compile_bpf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compiles tests/bpf/NAME.bpf.c, once a session."""
    folder = tmp_path_factory.mktemp("bpf")

    def compile_one(name: str) -> Path:
        target = folder / f"{name}.bpf.o"
        if not target.exists():
            include = f"-I/usr/include/{platform.machine()}-linux-gnu"
            source = str(BPF / f"{name}.bpf.c")
            command = ["clang", "-O2", "-g", "-target", "bpf", include, "-c", source]
            subprocess.run([*command, "-o", str(target)], check=True)
        return target

    return compile_one


@pytest.fixture
def bpf(compile_bpf: Callable[[str], Path]) -> Iterator[userrb.BpfObject]:
    """tests/bpf/drain.bpf.c, loaded afresh."""
    with userrb.BpfObject(compile_bpf("drain")) as loaded:
        yield loaded


@pytest.fixture
def ring(bpf: userrb.BpfObject) -> Iterator[userrb.UserRingBuffer]:
    """An empty ring of 4096 bytes."""
    with userrb.UserRingBuffer(bpf.maps["samples"]) as opened:
        yield opened


@pytest.fixture
def drain(bpf: userrb.BpfObject) -> Callable[[], int]:
    """Drains `ring`; returns how many samples the kernel took."""
    return lambda: bpf.programs["drain"].test_run().retval


@pytest.fixture(scope="session")
def vm() -> Iterator[Vm]:
    """A guest on Linux 6.12, for commands that do it no harm."""
    # These tests run in a guest as well, which has no need of what boots one.
    from proof.vm.machine import Vm  # noqa: PLC0415

    with Vm("6.12") as machine:
        yield machine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, in which `python -m proof` works as it does in the root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path

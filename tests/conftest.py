"""What the tests share: BPF objects built once, a loaded object, a ring."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb

BPF = Path(__file__).parent / "bpf"
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built strictly: a warning is a failure."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def compile_bpf(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles tests/bpf/NAME.bpf.c, once a session; a CASE is defined for the preprocessor."""
    folder = tmp_path_factory.mktemp("bpf")

    def compile_one(name: str, case: str = "NONE") -> Path:
        target = folder / f"{name}.{case}.bpf.o"
        if not target.exists():
            include = f"-I/usr/include/{platform.machine()}-linux-gnu"
            source = str(BPF / f"{name}.bpf.c")
            command = ["clang", "-O2", "-g", "-target", "bpf", include, f"-D{case}", "-c", source]
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
def libbpf() -> ctypes.CDLL:
    """Libbpf itself, without userrb in between."""
    lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    pointer, integer, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32
    for name, result, arguments in (
        ("new", pointer, (integer, pointer)),
        ("reserve", pointer, (pointer, size)),
        ("reserve_blocking", pointer, (pointer, size, integer)),
        ("submit", None, (pointer, pointer)),
        ("discard", None, (pointer, pointer)),
        ("free", None, (pointer,)),
    ):
        function = getattr(lib, f"user_ring_buffer__{name}")
        function.restype, function.argtypes = result, arguments
    return lib


@pytest.fixture
def handle(libbpf: ctypes.CDLL, bpf: userrb.BpfObject) -> Iterator[ctypes.c_void_p]:
    """Libbpf's own handle of the ring of 4096 bytes."""
    opened = ctypes.c_void_p(libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None))
    yield opened
    libbpf.user_ring_buffer__free(opened)

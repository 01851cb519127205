"""What tests on a ring share: BPF objects built once, a loaded object, a ring, libbpf itself."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb

ROOT = Path(__file__).parent.parent.parent
BPF = ROOT / "tests/bpf"


def bpf_cc(source: Path, target: Path, *options: str) -> None:
    """Compile a BPF program as the examples do."""
    subprocess.run([ROOT / "tools/bpf-cc", source, target, *options], check=True)


@pytest.fixture(scope="session")
def compile_bpf(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile tests/bpf/NAME.bpf.c, once a session; a CASE is defined for the preprocessor."""
    folder = tmp_path_factory.mktemp("bpf")

    def compile_one(name: str, case: str = "NONE") -> Path:
        target = folder / f"{name}.{case}.bpf.o"
        if not target.exists():
            bpf_cc(BPF / f"{name}.bpf.c", target, f"-D{case}")
        return target

    return compile_one


@pytest.fixture
def bpf(compile_bpf: Callable[[str], Path]) -> Iterator[userrb.BpfObject]:
    """Load tests/bpf/drain.bpf.c afresh."""
    with userrb.BpfObject(compile_bpf("drain")) as loaded:
        yield loaded


@pytest.fixture
def ring(bpf: userrb.BpfObject) -> Iterator[userrb.UserRingBuffer]:
    """Open an empty ring of 4096 bytes."""
    with userrb.UserRingBuffer(bpf.maps["samples"]) as opened:
        yield opened


@pytest.fixture
def drain(bpf: userrb.BpfObject) -> Callable[[], int]:
    """Return what drains `ring`, and says how many samples the kernel took."""
    return lambda: bpf.programs["drain"].test_run().retval


@pytest.fixture(scope="session")
def libbpf() -> ctypes.CDLL:
    """Load libbpf itself, without userrb in between."""
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
    """Open libbpf's own handle of the ring of 4096 bytes."""
    opened = ctypes.c_void_p(libbpf.user_ring_buffer__new(bpf.maps["samples"].fileno(), None))
    yield opened
    libbpf.user_ring_buffer__free(opened)

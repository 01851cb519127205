"""What the tests share: BPF objects built once, a loaded object, a ring, a virtual machine."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.terminal import TerminalReporter

import userrb

if TYPE_CHECKING:
    from proof.kernel import Kernel
    from proof.vm.machine import Vm

ROOT = Path(__file__).parent.parent
BPF = ROOT / "tests/bpf"


LEFT_OUT: pytest.StashKey[int] = pytest.StashKey()

LOADING = {"compile_bpf", "rig", "tiny"}
"""Fixtures that load BPF programs."""

KERNEL: pytest.StashKey[Kernel] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose a kernel."""
    parser.addoption(
        "--kernel", help="kernel that the examples and userrb's tests run on (default: the host's)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Find the kernel, and have userrb's own tests run there."""
    if config.pluginmanager.has_plugin("in_guest_reports"):
        return  # this is the pytest in the guest
    # A guest has no need of what boots one.
    from proof.choose import HOST, VARIABLE, choose, chosen_name  # noqa: PLC0415
    from proof.errors import ProofError  # noqa: PLC0415

    name = chosen_name(config.getoption("--kernel"))
    try:
        kernel = choose(name, cpus=2)  # for what is to collide
    except ProofError as error:
        raise pytest.UsageError(str(error)) from error
    os.environ[VARIABLE] = name  # for what the tests start
    config.stash[KERNEL] = kernel
    if name != HOST:
        from in_guest import InGuest  # noqa: PLC0415

        from proof.vm.kernel import Virtual  # noqa: PLC0415

        assert isinstance(kernel, Virtual)
        config.pluginmanager.register(InGuest(kernel, config), "in_guest")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what runs on the kernel: the examples, and each test that loads a BPF object."""
    for item in items:
        if item.path.name.startswith("test_vm_"):
            item.add_marker("vm")
        names = getattr(item, "fixturenames", ())
        if "chosen_kernel" in names:
            item.add_marker("kernel")
        elif item.get_closest_marker("host"):
            continue
        elif LOADING.intersection(names) or item.get_closest_marker("kernel"):
            item.add_marker("kernel")
            if config.pluginmanager.has_plugin("in_guest"):
                item.add_marker("guest")
    if config.pluginmanager.has_plugin("in_guest"):
        about_host = [item for item in items if item.get_closest_marker("host")]
        config.stash[LEFT_OUT] = len(about_host)
        config.hook.pytest_deselected(items=about_host)
        items[:] = [item for item in items if item not in about_host]
    # The guest runs one command at a time, and they are one: the examples come before it.
    items.sort(key=lambda item: item.get_closest_marker("guest") is not None)


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Say of tests that another kernel cannot stand in for that they were left out."""
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"Left out, as they need this machine's own kernel: {count}.")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built strictly: a warning is a failure."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def chosen_kernel(request: pytest.FixtureRequest) -> Kernel:
    """The kernel that this run is for."""
    return request.config.stash[KERNEL]


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

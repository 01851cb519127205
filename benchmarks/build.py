"""Compiles the C and BPF programs into .cache/benchmarks, and again only when something changed."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
CACHE = ROOT / ".cache" / "benchmarks"
CSRC = ROOT / "userrb" / "csrc"
PACKED = 500
"""Records in a packed sample."""

COMPILED_AS = "gcc -O2 for C, clang -O2 for BPF, userrb with the flags of setup.py"


def bpf_object(ring_bytes: int) -> Path:
    """Return the BPF programs for a ring of this size."""
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    defines = [f"-DRING_BYTES={ring_bytes}", f"-DPACKED={PACKED}"]
    source = HERE / "samples.bpf.c"
    command = ["clang", "-O2", "-g", "-Wall", "-target", "bpf", include, *defines, "-c"]
    return _make(f"samples-{ring_bytes}.bpf.o", command, [source], [])


def program(name: str) -> Path:
    """Return the C program NAME.c, linked with the libbpf that userrb uses."""
    command = ["gcc", "-O2", "-Wall", "-Wextra", f"-DPACKED={PACKED}", *_pkg_config("--cflags")]
    sources = [HERE / f"{name}.c"]
    return _make(name, command, sources, [*_pkg_config("--libs")], [HERE / "peer.h"])


def stamping_extension() -> Path:
    """Return userrb's extension, compiled once more with the clock of stamp.c around its wait."""
    command = ["gcc", "-std=gnu11", "-O3", "-Wall", "-Wextra", "-shared", "-fPIC", f"-I{CSRC}"]
    command += [f"-I{sysconfig.get_path('include')}", *_pkg_config("--cflags")]
    sources = [*sorted(CSRC.glob("*.c")), HERE / "stamp.c"]
    libraries = ["-Wl,--wrap=ring_wait", *_pkg_config("--libs")]
    return _make("stamping.so", command, sources, libraries, sorted(CSRC.glob("*.h")))


def _pkg_config(option: str) -> list[str]:
    query = ["pkg-config", option, "libbpf"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()


def _make(
    name: str,
    command: list[str],
    sources: list[Path],
    libraries: list[str],
    headers: Sequence[Path] = (),
) -> Path:
    target, made = CACHE / name, CACHE / f"{name}.made"
    parts = [repr([command, libraries, [path.name for path in sources]]).encode()]
    parts += [path.read_bytes() for path in [*sources, *headers]]
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()
    if not (target.exists() and made.exists() and made.read_text() == key):
        CACHE.mkdir(parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        subprocess.run(
            [*command, *map(str, sources), "-o", str(target), *libraries], check=True, cwd=ROOT
        )
        made.write_text(key)
    return target


def library(name: str) -> Path:
    """Return the C library NAME.c, linked with the libbpf that userrb uses."""
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", *_pkg_config("--cflags")]
    return _make(f"{name}.so", command, [HERE / f"{name}.c"], _pkg_config("--libs"))


def bpf_program(name: str) -> Path:
    """Return the BPF programs of NAME.bpf.c."""
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    command = ["clang", "-O2", "-g", "-Wall", "-target", "bpf", include, "-c"]
    return _make(f"{name}.bpf.o", command, [HERE / f"{name}.bpf.c"], [])

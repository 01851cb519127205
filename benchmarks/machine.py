"""Where and with what the figures were measured, as far as it changes them."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.build import COMPILED_AS
from benchmarks.effort import MAIN_RING, Effort
from userrb._libbpf import ffi, lib


def describe(effort: Effort) -> dict[str, str]:
    """Return what there is to say, by heading."""
    return {
        "Date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "Processor": f"{processor()}, {os.cpu_count()} cores, {platform.machine()}",
        "Virtual machine": hypervisor(),
        "Kernel": platform.release(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "libbpf": str(ffi.string(lib.libbpf_version_string()).decode()),
        "Compilers": f"{version('gcc')}, {version('clang')}",
        "Compiled as": COMPILED_AS,
        "Ring": f"{MAIN_RING >> 10} KiB, where a line does not say otherwise",
        "Rounds": f"{effort.rounds} ({effort.wakes} wake-ups)",
        "Load before": f"{os.getloadavg()[0]:.1f} processes on average, for the last minute",
    }


def processor() -> str:
    """Return the processor's name, or its architecture where the kernel tells no name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "cpu model", "Processor"):
            return value.strip()
    return platform.machine()


def hypervisor() -> str:
    """Tells whether this is a virtual machine: interrupts and wake-ups cost more there."""
    flags = Path("/proc/cpuinfo").read_text()
    return "yes" if " hypervisor" in flags else "not that the kernel knows of"


def version(compiler: str) -> str:
    """Return a compiler's name and version."""
    command = [compiler, "-dumpversion"]
    number = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return f"{compiler} {number}"

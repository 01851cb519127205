"""Name to kernel: which one the examples run on."""

from __future__ import annotations

import os
from pathlib import Path

from proof.kernel.host import Host
from proof.kernel.protocol import HOST, Kernel
from proof.settings import Settings

VARIABLE = "PROOF_KERNEL"
"""Environment variable with the name of the kernel, where none is given otherwise."""


def chosen_name(name: str | None = None) -> str:
    """Return the name of the kernel to run on: the one given, the environment's, or the host's."""
    return name or os.environ.get(VARIABLE) or HOST


def choose(
    root: Path,
    settings: Settings,
    name: str | None = None,
    *,
    library: str | None = None,
    cpus: int = 1,
) -> Kernel:
    """Return the kernel to run on.

    Args:
        root: The root of the repository that the settings are of.
        settings: They say how to probe a kernel.
        name: `host`, a name that `python -m otherkernel kernels` lists, or the path of a vmlinuz;
            without one, what the environment says, or else the host's.
        library: A library of the catalogue to have in the place of the system's, on another kernel.
        cpus: How many processors a virtual machine has.

    Raises:
        ProofError: There is no kernel of that name; the message lists those there are.
    """
    name = chosen_name(name)
    probe = root / settings.probe if settings.probe else ""
    if name == HOST:
        return Host(probe)
    # What boots a kernel is needed for this only.
    from proof.kernel.other import OtherKernel, find  # noqa: PLC0415

    find(name)
    return OtherKernel(name, probe, library=library, cpus=cpus)


def default() -> str:
    """Return the name of the kernel that serves where this machine's own cannot be used.

    Raises:
        ProofError: The catalogue cannot be read.
    """
    from proof.kernel import other  # noqa: PLC0415

    return other.default()


def all_kernels() -> list[tuple[str, str | None]]:
    """Return each other kernel, and the default one with each library there is, by their names.

    Raises:
        ProofError: The catalogue cannot be read.
    """
    from proof.kernel import other  # noqa: PLC0415

    return other.all_kernels()

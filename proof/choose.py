"""Name to kernel: which one the examples run on."""

from __future__ import annotations

import os

from proof.kernel import Host, Kernel

HOST = "host"
"""The name of this machine's own kernel."""

VARIABLE = "PROOF_KERNEL"
"""Environment variable with the name of the kernel, where none is given otherwise."""


def chosen_name(name: str | None = None) -> str:
    """Return the name of the kernel to run on: the one given, the environment's, or the host's."""
    return name or os.environ.get(VARIABLE) or HOST


def choose(name: str | None = None, cpus: int = 1) -> Kernel:
    """Return the kernel to run on.

    Args:
        name: `host`, a key of `kernels.toml`, or the path of a vmlinuz; without one, what the
            environment says, or else the host's.
        cpus: How many processors a virtual machine has.

    Raises:
        KernelFileError: There is no kernel of that name; the message lists those there are.
    """
    name = chosen_name(name)
    if name == HOST:
        return Host()
    # The packages behind it are needed for this only.
    from proof.vm import kernels  # noqa: PLC0415
    from proof.vm.kernel import Virtual  # noqa: PLC0415

    if "/" not in name:
        kernels.load().find(name)
    return Virtual(name, cpus=cpus)

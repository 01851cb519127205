"""A plugin of pytest's: tests marked `other_kernel` run on the kernel that `--kernel` names.

pytest itself runs in the guest, with the same tests; its reports become those of this run, so that
order, output, tracebacks and durations are as if the tests had run here. What they compile is
compiled here, as a guest has no compiler.

The option's default is the environment's `OTHERKERNEL`, or `host`: this machine's own kernel, on
which the marked tests run like all others. The setting `otherkernel_files` lists what the guest has
of the project, from the root directory; `otherkernel_plugins` names the plugins that pytest loads
there, as all that are installed may take long to import under emulation.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from otherkernel.machine import Machine

HOST = "host"
"""The name of this machine's own kernel."""

VARIABLE = "OTHERKERNEL"
"""Environment variable with the name of the kernel, where the command line gives none."""

MARK = "other_kernel"
PLUGIN = "otherkernel_in_guest"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose a kernel, and the settings say what a guest needs."""
    parser.addoption(
        "--kernel",
        help="kernel for tests marked other_kernel: one that `python -m otherkernel kernels`"
        " lists, or a vmlinuz (default: this machine's)",
    )
    parser.addini(
        "otherkernel_files",
        type="linelist",
        help="files and folders that the tests need in a guest, from the root directory"
        " (default: all, but for caches and what version control keeps)",
    )
    parser.addini(
        "otherkernel_plugins",
        type="linelist",
        default=None,
        help="names of the installed plugins that the tests need in a guest (default: all)",
    )


def kernel_of(config: pytest.Config) -> str:
    """Return the name of the kernel that a run is for."""
    return str(config.getoption("--kernel") or os.environ.get(VARIABLE) or HOST)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark, and have the marked tests run on the kernel that was chosen."""
    config.addinivalue_line("markers", f"{MARK}: runs on the kernel that --kernel names")
    name = kernel_of(config)
    if name == HOST:
        return
    serve(config, name)


def serve(config: pytest.Config, name: str) -> None:
    """Have the marked tests run on a kernel, which is booted when the first of them is due.

    Raises:
        pytest.UsageError: There is no such kernel.
    """
    # What boots a kernel is needed for this only.
    from otherkernel.errors import Error  # noqa: PLC0415
    from otherkernel.kernels import catalogue  # noqa: PLC0415
    from otherkernel.machine import Machine  # noqa: PLC0415
    from otherkernel.pytest_plugin.in_guest import InGuest  # noqa: PLC0415

    try:
        if "/" not in name:
            catalogue.load().find(name)
    except Error as error:
        raise pytest.UsageError(str(error)) from error

    def boot() -> Machine:
        return Machine(name, cpus=2)  # two, for what is to collide

    config.pluginmanager.register(InGuest(boot, name, config), PLUGIN)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what runs in the guest last: it is one command there, and runs without a break."""
    if config.pluginmanager.has_plugin(PLUGIN):
        items.sort(key=lambda item: item.get_closest_marker(MARK) is not None)

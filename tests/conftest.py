"""Which kernel a run of the tests is for, and which of them run there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.terminal import TerminalReporter

if TYPE_CHECKING:
    from proof.kernel.fitting import Fitting
    from proof.kernel.protocol import Kernel

ROOT = Path(__file__).parent.parent

LOADING = {"compile_bpf", "rig", "tiny"}
"""Fixtures that load BPF programs."""

REPORTS = "otherkernel.pytest_plugin.reports"
"""The plugin of the pytest in a guest."""

LEFT_OUT: pytest.StashKey[int] = pytest.StashKey()
LACKING: pytest.StashKey[int] = pytest.StashKey()
IN_GUEST: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line name a site that was built a moment ago."""
    parser.addoption("--site", type=Path, help="a built site (default: build one)")


def pytest_configure(config: pytest.Config) -> None:
    """Find the kernel, and hear Ctrl-C, for what the tests start as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.pluginmanager.has_plugin(REPORTS):
        return  # this is the pytest in the guest, which has no need of what boots one
    from otherkernel.pytest_plugin import HOST, VARIABLE, kernel_of  # noqa: PLC0415
    from proof.kernel import choose  # noqa: PLC0415

    name = kernel_of(config)
    os.environ[VARIABLE] = os.environ[choose.VARIABLE] = name
    config.stash[IN_GUEST] = name != HOST


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what runs on the kernel: the examples, and each test that loads a BPF object."""
    in_guest = config.stash.get(IN_GUEST, False)
    _send_away(config, items, in_guest=in_guest)
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "chosen_kernel" in names:
            item.add_marker("kernel")
        elif item.get_closest_marker("host"):
            continue
        elif LOADING.intersection(names) or item.get_closest_marker("kernel"):
            item.add_marker("kernel")
            if in_guest:
                item.add_marker("other_kernel")
    if in_guest:
        about_host = [item for item in items if item.get_closest_marker("host")]
        config.stash[LEFT_OUT] = len(about_host)
        config.hook.pytest_deselected(items=about_host)
        items[:] = [item for item in items if item not in about_host]


def _send_away(config: pytest.Config, items: list[pytest.Item], *, in_guest: bool) -> None:
    """Run tests that need what this machine's kernel lacks on the default one.

    Where another kernel was chosen, and it lacks that, they are left out.
    """
    needs = {item: mark.args for item in items if (mark := item.get_closest_marker("needs"))}
    if not needs or config.pluginmanager.has_plugin(REPORTS):
        return
    from otherkernel.pytest_plugin import serve  # noqa: PLC0415
    from proof import settings  # noqa: PLC0415
    from proof.kernel import choose  # noqa: PLC0415

    with closing(choose.choose(ROOT, settings.read(ROOT))) as kernel:
        lacks = set(kernel.lacks(word for words in needs.values() for word in words))
    away = [item for item, words in needs.items() if lacks.intersection(words)]
    if in_guest:
        config.stash[LACKING] = len(away)
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if item not in away]
    elif away:
        serve(config, choose.default())
        for item in away:
            item.add_marker("other_kernel")


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Say of tests that another kernel cannot stand in for that they were left out."""
    if count := config.stash.get(LACKING, 0):
        terminalreporter.write_line(f"Left out, as this kernel lacks what they need: {count}.")
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"Left out, as they need this machine's own kernel: {count}.")


@pytest.fixture(scope="session")
def kernels() -> Iterator[Fitting]:
    """Return the kernel that this run is for, and what stands in where it lacks something."""
    from proof import settings  # noqa: PLC0415
    from proof.kernel.fitting import Fitting  # noqa: PLC0415

    with closing(Fitting(ROOT, settings.read(ROOT), cpus=2)) as found:  # two, for what collides
        yield found


@pytest.fixture(scope="session")
def chosen_kernel(kernels: Fitting) -> Kernel:
    """Return the kernel that this run is for."""
    return kernels.chosen

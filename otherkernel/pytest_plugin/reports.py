"""The guest's side of a test run: a plugin that runs the tests the host chose, and reports to it.

In the guest it and `compilers` are the only modules of this package.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from otherkernel.pytest_plugin import compilers

CHOSEN = "chosen"
"""The file, in the working directory, with the tests to run."""

MARK = "\x1ereport "
"""Begins a line with a report."""

# To and from the host, before pytest captures them.
_in, _out = os.dup(0), os.dup(1)
_sending = threading.Lock()


def _send(line: str) -> None:
    with _sending:
        data = f"{line}\n".encode()
        while data:
            data = data[os.write(_out, data) :]


def _compile(order: str) -> compilers.Answer:
    _send(compilers.MARK + order)
    return compilers.unpack(lambda length: os.read(_in, length))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Accept the settings of the host's side, as a strict pytest would refuse unknown ones."""
    for name in ("otherkernel_files", "otherkernel_plugins"):
        parser.addini(name, type="linelist", help="for the host")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what was chosen, in that order."""
    found = {item.nodeid: item for item in items}
    items[:] = [found[name] for name in Path(CHOSEN).read_text(encoding="utf-8").split("\n")]


class _Reporter:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        _send(f"{MARK}{json.dumps(data)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            _send(report.longreprtext)


def pytest_configure(config: pytest.Config) -> None:
    """Report from now on, and compile on the host."""
    config.addinivalue_line("markers", "other_kernel: for the host")
    config.pluginmanager.register(_Reporter(config))
    compilers.Compilers(Path("compilers").resolve(), _compile)

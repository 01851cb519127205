"""A plugin of the pytest in a guest: runs the tests that the host chose, and reports to it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

CHOSEN = "chosen"
"""The file, in the working directory, with the tests to run."""

MARK = "\x1ereport "
"""Begins a line with a report."""

_out = os.dup(1)  # before pytest captures it


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
        os.write(_out, f"{MARK}{json.dumps(data)}\n".encode())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            os.write(_out, f"{report.longreprtext}\n".encode())


def pytest_configure(config: pytest.Config) -> None:
    """Report from now on."""
    config.pluginmanager.register(_Reporter(config))

"""The host's side of a test run in a guest: starts pytest there, and reports what it reports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otherkernel.errors import Error
from otherkernel.machine import Machine
from otherkernel.pytest_plugin import MARK, compilers, reports
from otherkernel.tree import IGNORED

LIMIT = 900.0
"""Seconds for all of them."""

_PACKAGE = "otherkernel/pytest_plugin"
_IN_GUEST = ("reports.py", "compilers.py")
"""Of this package, all that the pytest in the guest has, in its working directory."""


class InGuest:
    """A plugin of pytest's that has the marked tests run in a guest.

    Args:
        boot: Boots the machine, when the first of them is due.
        name: What the kernel is called.
        config: Of this run.
    """

    def __init__(self, boot: Callable[[], Machine], name: str, config: pytest.Config) -> None:
        self._boot = boot
        self._name = name
        self._config = config
        self._lines: Iterator[str] | None = None
        self._reports: list[pytest.TestReport] = []
        self._other: list[str] = []
        self._failure: BaseException | None = None
        self._stop: int | None = None
        self._answers: int | None = None
        self._thread: threading.Thread | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Wait for what the guest says of a test, and report that."""
        if item.get_closest_marker(MARK) is None:
            return None
        if self._lines is None:
            chosen = [each for each in item.session.items if each.get_closest_marker(MARK)]
            self._lines = self._start(chosen)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._of(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_unconfigure(self) -> None:
        """End what still runs."""
        for descriptor in (self._stop, self._answers):
            if descriptor is not None:
                os.close(descriptor)
        if self._thread is not None:
            self._thread.join()

    def _of(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        phases: dict[str, str] = {}
        for line in self._lines or ():
            asks = line.partition(compilers.MARK)[2]
            if asks and self._answers is not None:
                self._answer(compilers.pack(self._compile(asks)))
                continue
            other, marked, data = line.partition(reports.MARK)
            self._other.append(other)
            if not marked:
                continue
            report: Any = self._config.hook.pytest_report_from_serializable(
                config=self._config, data=json.loads(data)
            )
            phases[report.when] = report.outcome
            whole = "call" in phases or phases.get("setup") != "passed"
            if report.nodeid != item.nodeid or (report.when == "teardown" and not whole):
                raise RuntimeError(f"the guest reports {phases} of {report.nodeid}")
            yield report
            if report.when == "teardown":
                return
        why = str(self._failure or "pytest ended before this test")
        where = f"on {self._name}, in the guest: {why}\n{''.join(self._other)}"
        self._other = ["(what was printed stands with the first of them)"]
        yield pytest.TestReport(item.nodeid, item.location, {}, "failed", where, "setup")

    def _answer(self, data: bytes) -> None:
        while data and self._answers is not None:
            data = data[os.write(self._answers, data) :]

    def _start(self, items: list[pytest.Item]) -> Iterator[str]:
        """Start pytest in the guest; return the lines that it prints, as they come."""
        out, into = os.pipe()
        signals, self._stop = os.pipe()
        answers, self._answers = os.pipe()
        self._thread = threading.Thread(target=self._run, args=(items, into, signals, answers))
        self._thread.start()
        with os.fdopen(out, encoding="utf-8", errors="replace") as file:
            yield from file

    def _run(self, items: list[pytest.Item], into: int, signals: int, answers: int) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="tests-") as name:
                folder = Path(name)
                self._fill(folder, items)
                root = self._config.rootpath
                with self._boot() as machine:
                    machine.run(
                        [
                            *self._plugins(),
                            *("-p", "otherkernel.pytest_plugin.reports"),
                            *("-p", "no:cacheprovider", "-p", "no:otherkernel"),
                            *dict.fromkeys(str(item.path.relative_to(root)) for item in items),
                        ],
                        cwd=folder,
                        stdout=into,
                        stderr=into,
                        stdin=answers,
                        signals=signals,
                        timeout=LIMIT,
                    )
        except (Error, OSError, ValueError) as error:
            self._failure = error
        except BaseException as error:
            self._failure = error
            raise
        finally:
            for descriptor in (into, signals, answers):
                os.close(descriptor)

    def _plugins(self) -> list[str]:
        """Return the command that starts pytest with the plugins that the project names."""
        command = [sys.executable, "-m", "pytest", "-q"]
        named = self._config.getini("otherkernel_plugins")
        if named is None:
            return command
        chosen = [word for name in named for word in ("-p", name)]
        return ["env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", *command, *chosen]

    def _fill(self, folder: Path, items: list[pytest.Item]) -> None:
        """Write what the guest needs: the files of the project, and which tests to run."""
        root = self._config.rootpath
        for name in self._config.getini("otherkernel_files") or (".",):
            source, target = root / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=_ignored, dirs_exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        package = folder / _PACKAGE
        package.mkdir(parents=True, exist_ok=True)
        for initial in (package / "__init__.py", package.parent / "__init__.py"):
            initial.touch()
        for plugin in _IN_GUEST:
            shutil.copy(Path(__file__).with_name(plugin), package)
        chosen = "\n".join(item.nodeid for item in items)
        (folder / reports.CHOSEN).write_text(chosen, encoding="utf-8")

    def _compile(self, order: str) -> compilers.Answer:
        """Run a compiler of this machine's for a test in the guest.

        Args:
            order: The command and its directory, as `compilers` sends them.
        """
        words, cwd = json.loads(order)
        with tempfile.NamedTemporaryFile() as made:
            if "-o" in words:
                words[words.index("-o") + 1] = made.name
            here = cwd if Path(cwd).is_dir() else self._config.rootpath
            done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr, Path(made.name).read_bytes()


def _ignored(folder: str, names: list[str]) -> set[str]:
    """Return what a guest has no use for: caches, virtual environments, version control."""
    found = {name for name in names if os.fsencode(name) in IGNORED}
    return found | {n for n in names if Path(folder, n, "pyvenv.cfg").exists()}

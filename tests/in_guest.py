"""Runs the tests of userrb on another kernel: pytest in a guest, its reports in this run's.

It is the same pytest, with the tests selected here. What they compile is compiled here, as a guest
has no compiler.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import in_guest_compiler
import pytest
from in_guest_reports import CHOSEN, MARK

from proof.errors import ProofError
from proof.vm.kernel import Virtual

ROOT = Path(__file__).parent.parent
LIMIT = 900.0
"""Seconds for all of them."""


class InGuest:
    """A plugin of pytest's that has the tests marked `guest` run in a guest.

    Args:
        kernel: Where.
        config: Of this run.
    """

    def __init__(self, kernel: Virtual, config: pytest.Config) -> None:
        self._kernel = kernel
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
        if item.get_closest_marker("guest") is None:
            return None
        if self._lines is None:
            chosen = [each for each in item.session.items if each.get_closest_marker("guest")]
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
        self._kernel.close()

    def _of(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        phases: dict[str, str] = {}
        for line in self._lines or ():
            asks = line.partition(in_guest_compiler.MARK)[2]
            if asks and self._answers is not None:
                self._answer(in_guest_compiler.pack(compile_here(asks)))
                continue
            other, marked, data = line.partition(MARK)
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
        where = f"on {self._kernel.name}, in the guest: {why}\n{''.join(self._other)}"
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
                self._kernel.vm.run(
                    [
                        *(sys.executable, "-m", "pytest", "-p", "in_guest_reports"),
                        *("-q", "-p", "no:cacheprovider"),
                        *dict.fromkeys(str(item.path.relative_to(ROOT)) for item in items),
                    ],
                    cwd=folder,
                    stdout=into,
                    stderr=into,
                    stdin=answers,
                    signals=signals,
                    timeout=LIMIT,
                )
        except (ProofError, OSError, ValueError) as error:
            self._failure = error
        except BaseException as error:
            self._failure = error
            raise
        finally:
            for descriptor in (into, signals, answers):
                os.close(descriptor)

    def _fill(self, folder: Path, items: list[pytest.Item]) -> None:
        """Write what the guest needs: the tests, what they compile, and their settings."""
        left_out = shutil.ignore_patterns("__pycache__", "test_vm_*", "test_proof_*", "assets")
        for name in ("tests", "examples", "docs", "benchmarks", "userrb/csrc"):
            shutil.copytree(ROOT / name, folder / name, ignore=left_out)
        shutil.copy(ROOT / "pyproject.toml", folder)
        for plugin in ("in_guest_reports.py", "in_guest_compiler.py"):
            shutil.move(folder / "tests" / plugin, folder)  # this is where plugins are looked for
        (folder / CHOSEN).write_text("\n".join(item.nodeid for item in items), encoding="utf-8")


def compile_here(order: str) -> in_guest_compiler.Answer:
    """Run a compiler of the host's for a test in the guest.

    Args:
        order: The command and its directory, as `in_guest_compiler` sends them.
    """
    words, cwd = json.loads(order)
    with tempfile.NamedTemporaryFile() as made:
        if "-o" in words:
            words[words.index("-o") + 1] = made.name
        here = cwd if Path(cwd).is_dir() else ROOT
        done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr, Path(made.name).read_bytes()

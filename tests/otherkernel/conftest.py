"""The fixtures of the tests of otherkernel: a guest, and a folder to run commands in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otherkernel import Machine

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """Boot a guest on Linux 6.12, for commands that do it no harm."""
    with Machine("6.12") as booted:
        yield booted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty working directory, in which `python -m otherkernel` works as in the root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path

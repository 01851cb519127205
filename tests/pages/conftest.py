"""The fixtures of the tests of the pages: the built site, and a ring to try what they claim."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages.objects import loaded, open_object, quiet, unloaded
from tests.userrb.rig import bpf, compile_bpf, drain, handle, libbpf, ring

__all__ = [
    "bpf",
    "compile_bpf",
    "drain",
    "handle",
    "libbpf",
    "loaded",
    "open_object",
    "quiet",
    "ring",
    "unloaded",
]

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the whole site, strictly: a warning is a failure."""
    if built := request.config.getoption("--site"):
        return Path(built).resolve()
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder

"""Importing userrb."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import userrb


def test_it_is_light() -> None:
    """`import userrb` imports nothing that takes longer than all of it, and that few need."""
    heavy = "('asyncio', 'importlib.metadata', 'pathlib')"
    # -S: what a development install puts into `site` imports some of them.
    where = f"import sys; sys.path[:0] = {sys.path!r}; import userrb"
    code = f"{where}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_its_version_is_that_of_the_package() -> None:
    """`userrb.__version__` is there like any other attribute, and a wrong name is not."""
    assert userrb.__version__ == version("userrb")
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        userrb.nosuch  # noqa: B018

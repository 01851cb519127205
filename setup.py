"""Builds the two extension modules; everything else is in pyproject.toml."""

from __future__ import annotations

import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit("userrb: not tested without the GIL; install it into a Python that has one")


def pkg_config(*arguments: str) -> list[str]:
    """Return what pkg-config says of libbpf, or ends the build with words on what to install."""
    query = ["pkg-config", *arguments, "libbpf >= 1.1"]
    try:
        return subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()
    except FileNotFoundError:
        reason = "pkg-config is not installed"
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip()
    sys.exit(
        f"userrb: libbpf 1.1 or newer was not found ({reason}).\n"
        "Install its development files and pkg-config; on Debian and Ubuntu:\n"
        "    apt-get install libbpf-dev pkg-config gcc"
    )


runpy.run_path("userrb/_core_docs_build.py")["write"]()

core = Extension(
    "userrb._core",
    sorted(str(path) for path in Path("userrb/csrc").glob("*.c")),
    depends=["userrb/csrc/core.h", "userrb/csrc/docs.h"],
    extra_compile_args=["-std=gnu11", "-O3", "-Wall", "-Wextra", *pkg_config("--cflags")],
    extra_link_args=pkg_config("--libs"),
    py_limited_api=True,
)

setup(
    ext_modules=[core],
    cffi_modules=["userrb/_libbpf_build.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

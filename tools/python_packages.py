"""Make .venv: the pinned Python packages, and the three of this repository, userrb compiled.

Each half has a stamp that says what it was made of, and is made again when that has changed. A
stamp is removed before the work begins and written after it ends, so work that was interrupted is
done again. With nothing to do, this says nothing and needs no network.

Run with `pins`, it resolves the packages afresh and writes constraints.txt.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Not sys.executable: with .venv activated, that is in the folder to be made.
BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)
WRITTEN_BY_THE_BUILD = {"_libbpf.c", "docs.h"}
CONSTRAINTS = ROOT / "constraints.txt"
# Debian 12 has 3.11.2, and there are packages that want 3.11.5.
OLDEST = "3.11.0"
PINS_HEADER = """\
# The version of every Python package of the development environment, and the hashes of its files:
# pip installs nothing else. Written by `make pins`.
"""
PROJECTS = (ROOT, ROOT / "otherkernel", ROOT / "proof")
"""Folders with a pyproject.toml each."""


def quietly(what: str, *command: str | Path) -> None:
    """Run a command of which only a failure is worth reading."""
    arguments = [ROOT / "tools" / "quietly", what, *command]
    process = subprocess.Popen(arguments, cwd=ROOT)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C has reached it too: let it end by itself, and tidy up
        raise
    if status:
        raise subprocess.CalledProcessError(status, arguments)


def digest(parts: Iterable[bytes]) -> str:
    """One line that changes when any of the parts does."""
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def packages_key() -> str:
    """Name what .venv is made of: this Python, this folder, and the pins of the packages."""
    python = [sys.base_prefix, sys.version_info[:2], str(ROOT)]
    return digest([repr(python).encode(), CONSTRAINTS.read_bytes()])


def unpinned() -> set[str]:
    """Return the packages that a pyproject.toml asks for and constraints.txt does not have."""
    asked: set[str] = set()
    for project in PROJECTS:
        with (project / "pyproject.toml").open("rb") as file:
            data = tomllib.load(file)
        lists = [data["build-system"]["requires"], data["project"]["dependencies"]]
        lists += data.get("dependency-groups", {}).values()
        names = (each for listed in lists for each in listed if isinstance(each, str))
        asked |= {normalized(name) for name in names}
    pinned = re.findall(r"(?m)^([\w.-]+)==", CONSTRAINTS.read_text())
    return asked - {normalized(name) for name in pinned}


def normalized(requirement: str) -> str:
    """Return the name in a requirement as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def installed() -> list[str]:
    """Names the distributions in .venv: a stamp cannot know that somebody deleted some of them."""
    return sorted(path.name for path in VENV.glob("lib/python*/site-packages/*.dist-info"))


def make_packages() -> None:
    """Make .venv from nothing, unless it is what it should be."""
    if missing := unpinned():
        sys.exit(f"constraints.txt has no {', '.join(sorted(missing))}: run `make pins`.")
    stamp = VENV / "packages"
    key = packages_key()
    if stamp.exists() and PYTHON.exists():
        made_of, *wanted = stamp.read_text().splitlines()
        if made_of == key and set(wanted) <= set(installed()):
            return
    # The stamp goes with the folder. Begun from nothing, it holds no package that nothing names.
    stamp.unlink(missing_ok=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    quietly("Making .venv", BASE_PYTHON, "-m", "venv", VENV)
    pip = (PYTHON, "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:")
    quietly("Installing the Python packages", *pip, "--requirement", CONSTRAINTS)
    write(stamp, "\n".join([key, *installed()]) + "\n")


def make_extension() -> None:
    """Compile userrb in place, unless it was made of the same sources, libbpf and Python."""
    stamp = VENV / "extension"
    libbpf = subprocess.run(
        ["pkg-config", "--modversion", "libbpf"], check=True, capture_output=True
    ).stdout
    sources = [ROOT / "setup.py", *(project / "pyproject.toml" for project in PROJECTS)]
    for pattern in ("*.c", "*.h", "*build*.py", "_core.pyi"):
        found = sorted((ROOT / "userrb").rglob(pattern))
        sources += [path for path in found if path.name not in WRITTEN_BY_THE_BUILD]
    names = [str(path.relative_to(ROOT)) for path in sources]
    parts = [path.read_bytes() for path in sources]
    key = digest([(VENV / "packages").read_bytes(), libbpf, repr(names).encode(), *parts])
    if stamp.exists():
        made_of, *wanted = stamp.read_text().splitlines()
        if made_of == key and all((ROOT / name).exists() for name in wanted):
            return
    stamp.unlink(missing_ok=True)
    # setuptools compares dates and knows no header: it would keep an object that is out of date.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    for old in (ROOT / "userrb").glob("*.so"):
        old.unlink()
    quietly(
        "Compiling the extension",
        *(PYTHON, "-m", "pip", "install", "--no-build-isolation", "--no-deps"),
        *(word for project in PROJECTS for word in ("--editable", project)),
    )
    quietly("Checking the Python packages", PYTHON, "-m", "pip", "check")
    quietly("Importing userrb", PYTHON, "-c", "import userrb")
    made = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "userrb").glob("*.so"))
    write(stamp, "\n".join([key, *made]) + "\n")


def write(stamp: Path, text: str) -> None:
    """Write a stamp whole or not at all."""
    new = stamp.with_suffix(".new")
    new.write_text(text)
    new.replace(stamp)


def index() -> list[str]:
    """Return options that tell uv which index pip is set to use, if it is not the usual one.

    Further ones are left out: of a version, they may have the files for one machine only.
    """
    asked = subprocess.run(
        [PYTHON, "-m", "pip", "config", "get", "global.index-url"],
        check=False,
        capture_output=True,
        text=True,
    )
    url = os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()
    return ["--default-index", url] if url else []


def make_pins() -> None:
    """Resolve the packages for every Python from the oldest on, and write constraints.txt."""
    with tempfile.TemporaryDirectory() as folder:
        quietly("Making a venv", BASE_PYTHON, "-m", "venv", folder)
        python = Path(folder) / "bin" / "python"
        quietly("Installing uv", python, "-m", "pip", "install", "uv")
        resolved = Path(folder) / "constraints.txt"
        quietly(
            "Resolving the Python packages",
            *(python, "-m", "uv", "pip", "compile", "--universal", "--generate-hashes"),
            *("--python-version", OLDEST, "--only-binary", ":all:"),
            *("--no-header", "--no-annotate"),
            *(
                "--fork-strategy",
                "fewest",
                *index(),
            ),  # one version for all Pythons, if there is one
            *(project / "pyproject.toml" for project in PROJECTS),
            *("--group", f"{ROOT / 'pyproject.toml'}:dev", "--output-file", resolved),
        )
        CONSTRAINTS.write_text(PINS_HEADER + resolved.read_text())


def main() -> int:
    """Do what the command line says."""
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # Byte code is written once and here, by whom it belongs to: else the `sudo python3` of an
    # example would write it, as root.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # A user's own pip settings and modules must not leak into the project's environment.
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"):
        os.environ.pop(name, None)
    try:
        if sys.argv[1:] == ["pins"]:
            make_pins()
        else:
            make_packages()
            make_extension()
    except subprocess.CalledProcessError as error:
        return error.returncode  # tools/quietly has shown what there is to say
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

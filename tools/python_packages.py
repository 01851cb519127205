"""Make .venv: the pinned Python packages, and userrb with its compiled extension.

Each half has a stamp that says what it was made of, and is made again when that has changed. A
stamp is removed before the work begins and written after it ends, so work that was interrupted is
done again. With nothing to do, this says nothing and needs no network.

Run with `pins`, it resolves the packages afresh and writes constraints.txt.
"""

import hashlib
import json
import os
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
OLDEST = (3, 11, 0)
PINS_HEADER = """\
# The versions of every Python package of the development environment. Written by `make pins`.
"""


def quietly(what: str, *command: str | Path) -> None:
    """Run a command of which only a failure is worth reading."""
    subprocess.run([ROOT / "tools" / "quietly", what, *command], cwd=ROOT, check=True)


def digest(parts: Iterable[bytes]) -> str:
    """One line that changes when any of the parts does."""
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def packages_key() -> str:
    """What .venv is made of: this Python, this folder, the names and the pins of the packages.

    Of pyproject.toml only the names count: a new setting of a linter needs no new .venv.
    """
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    names = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        project["dependency-groups"],
    ]
    python = [sys.base_prefix, sys.version_info[:2], str(ROOT)]
    return digest([repr([python, names]).encode(), CONSTRAINTS.read_bytes()])


def installed() -> list[str]:
    """Names the distributions in .venv: a stamp cannot know that somebody deleted some of them."""
    return sorted(path.name for path in VENV.glob("lib/python*/site-packages/*.dist-info"))


def make_packages() -> None:
    """Make .venv from nothing, unless it is what it should be."""
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
    # Debian 12's pip has no --group, so pip comes first.
    pip = (PYTHON, "-m", "pip", "install", "--constraint", CONSTRAINTS)
    quietly("Installing pip and setuptools", *pip, "--upgrade", "pip", "setuptools")
    quietly("Installing the Python packages", *pip, "--group", "dev")
    write(stamp, "\n".join([key, *installed()]) + "\n")


def make_extension() -> None:
    """Compile userrb in place, unless it was made of the same sources, libbpf and Python."""
    stamp = VENV / "extension"
    libbpf = subprocess.run(
        ["pkg-config", "--modversion", "libbpf"], check=True, capture_output=True
    ).stdout
    sources = [ROOT / "pyproject.toml", ROOT / "setup.py"]
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
        *(PYTHON, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--editable", ROOT),
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


def make_pins() -> None:
    """Resolve the packages for the oldest Python that counts, and write them to constraints.txt.

    pip can resolve for another patch release than the one that runs it, but not for another minor
    one: it takes environment markers from itself.
    """
    if sys.version_info[:2] != OLDEST[:2]:
        sys.exit(
            "The oldest Python that userrb supports resolves: make pins PYTHON=python{}.{}".format(
                *OLDEST
            )
        )
    with tempfile.TemporaryDirectory() as folder:
        quietly("Making a venv", BASE_PYTHON, "-m", "venv", folder)
        pip = (Path(folder) / "bin" / "python", "-m", "pip", "install")
        report = Path(folder) / "report.json"
        quietly("Installing pip", *pip, "--upgrade", "pip")
        quietly(
            "Resolving the Python packages",
            *(*pip, "--dry-run", "--ignore-installed", "--report", report),
            *("--target", folder, "--only-binary", ":all:"),
            *("--python-version", ".".join(map(str, OLDEST))),
            *("pip", "setuptools", "--group", "dev"),
        )
        chosen = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    pins = sorted((f"{each['name']}=={each['version']}\n" for each in chosen), key=str.lower)
    CONSTRAINTS.write_text(PINS_HEADER + "".join(pins))


def main() -> int:
    """Do what the command line says."""
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
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

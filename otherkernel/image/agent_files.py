"""This package's side in the guest: its modules, and of Python just what they import."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from otherkernel.errors import Error
from otherkernel.image import cpio, libraries

# What runs in the guest of this package. Compiled here, as a guest would take long for it.
MODULES = (
    *("guest/agent", "guest/execution", "guest/folders", "guest/layers", "guest/leftovers"),
    *("guest/loop", "guest/processes"),
    *("placing", "tree", "wire"),
)
PACKAGE = Path(__file__).parent.parent
FOLDER = "/.otherkernel"
HOME = f"{FOLDER}/home"
START = f"{FOLDER}/start.pyc"
_LIBRARY = f"{sys.platlibdir}/{os.path.basename(sysconfig.get_path('stdlib'))}"
_PACKAGES = (f"{FOLDER}/otherkernel", f"{FOLDER}/otherkernel/guest")
_START = b"from otherkernel.guest.agent import main\nmain()\n"

# A fresh interpreter says what it has loaded, and what the modules want later.
_ASK = """
import sys
sys.path[:0] = [{folder!r}]
import ctypes
import otherkernel.guest.agent, otherkernel.guest.leftovers, otherkernel.guest.processes
for name, module in sys.modules.items():
    print(name, getattr(module, "__file__", None) or "-", sep="\\t")
"""


def compiled(source: str, name: str) -> bytes:
    """Return a module compiled, without a trace of where it stands here."""
    import py_compile  # noqa: PLC0415  (slow to import, and seldom needed)

    with tempfile.TemporaryDirectory() as folder:
        made = f"{folder}/compiled.pyc"
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(source, made, name, doraise=True, invalidation_mode=mode)
        return Path(made).read_bytes()


def modules() -> dict[str, str]:
    """Return the modules that the agent imports, with their files: sources and libraries.

    Raises:
        Error: This Python cannot import them.
    """
    with tempfile.TemporaryDirectory() as folder:
        for place, data in _own():
            path = Path(folder, os.path.relpath(place, FOLDER))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        command = [sys.executable, "-I", "-S", "-B", "-c", _ASK.format(folder=folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Error(f"{sys.executable} cannot run the guest's agent:\n{done.stderr}")
        lines = (line.split("\t") for line in done.stdout.splitlines())
        return {
            name: path
            for name, path in lines
            if path.endswith((".py", ".so")) and not path.startswith(folder)
        }


def _own() -> list[tuple[str, bytes]]:
    """Return this package's modules: where they stand in the guest, and what they are."""
    # Compiled, too: to load Python's parser for a line takes its time.
    with tempfile.NamedTemporaryFile() as empty, tempfile.NamedTemporaryFile() as start:
        start.write(_START)
        start.flush()
        nothing = compiled(empty.name, "__init__.py")
        made = [(f"{package}/__init__.pyc", nothing) for package in _PACKAGES]
        made.append((START, compiled(start.name, "start.py")))
    for name in MODULES:
        data = compiled(str(PACKAGE / f"{name}.py"), f"{name}.py")
        made.append((f"{_PACKAGES[0]}/{name}.pyc", data))
    return made


def write(archive: cpio.Writer, found: dict[str, str]) -> None:
    """Write the agent, and the modules that it imports, into an archive."""
    files = dict(_own())
    folders = dict.fromkeys([FOLDER, *_PACKAGES, HOME, f"{HOME}/{sys.platlibdir}"])
    folders.update(dict.fromkeys([f"{HOME}/{_LIBRARY}", f"{HOME}/{_LIBRARY}/lib-dynload"]))
    for name, path in found.items():
        place = f"{HOME}/{_LIBRARY}/{name.replace('.', '/')}"
        if path.endswith(".so"):
            library = f"{HOME}/{_LIBRARY}/lib-dynload/{os.path.basename(path)}"
            files[library] = libraries.stripped(path)
        else:
            if os.path.basename(path) == "__init__.py":
                place += "/__init__"
            files[f"{place}.pyc"] = compiled(path, os.path.basename(path))
            folders[os.path.dirname(place)] = None
    for folder in folders:
        archive.folder(folder)
    archive.folder(f"{FOLDER}/here")
    archive.folder(f"{FOLDER}/answers", 0o1777)
    for place, data in files.items():
        archive.file(place, data)

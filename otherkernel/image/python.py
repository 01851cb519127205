"""What the running Python is made of: its programs, standard library and packages."""

import importlib.machinery
import os
import re
import site
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

# Parts of the standard library that no command in a guest wants.
LEFT_OUT_OF_LIBRARY = frozenset(
    {
        *("test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip"),
        *("pydoc_data", "site-packages", "dist-packages"),
    }
)
LEFT_OUT_ANYWHERE = frozenset((".git", ".mypy_cache", ".ruff_cache", ".pytest_cache"))
# Of an installed package, what only its own developers want.
LEFT_OUT_OF_PACKAGES = frozenset(("tests", "include")) | LEFT_OUT_ANYWHERE
_LEFT_OUT_FILES = re.compile(
    r".*\.(a|o|exe|pyi|opt-[12]\.pyc)|(_tkinter\.|_test|xxlimited|xxsubtype).*"
)
# What `importlib.metadata` reads but for lists of files, which are the most of it.
_TOLD = ("METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt")
_parsing = threading.Lock()  # Python 3.11 cannot build two syntax trees at once
_SCRIPT = 100_000  # bytes; what is larger is a program
_BEING_WRITTEN = re.compile(r".*\.pyc\.\d+")  # a cached module, this moment


def programs() -> list[str]:
    """Return the interpreter under the names it goes by, links as they are."""
    executable = Path(sys.executable)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = (executable.name, "python", "python3", f"python{version}")
    found = [str(executable.parent / name) for name in names]
    found.append(getattr(sys, "_base_executable", sys.executable))
    return [path for path in dict.fromkeys(found) if os.path.exists(path)]


def standard_library() -> list[str]:
    """Return the folders of the standard library."""
    paths = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    # A venv's `platstdlib` is its own folder, which holds only its site-packages.
    return [path for path in dict.fromkeys(paths) if os.path.isdir(f"{path}/lib-dynload")]


def packages() -> list[str]:
    """Return the folders with installed packages: the venv's, the system's, the user's."""
    known = {*site.getsitepackages(), site.getusersitepackages()}
    return [
        path
        for path in dict.fromkeys(sys.path)
        if (path in known or os.path.basename(path) in ("site-packages", "dist-packages"))
        and os.path.isdir(path)
    ]


def modules() -> dict[str, list[str]]:
    """Return what can be imported of the installed packages: by its name, its files and folders."""
    found: dict[str, list[str]] = {}
    dispensable, _ = finders()
    suffixes = tuple(importlib.machinery.all_suffixes())
    for folder in packages():
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            name = entry.name.partition(".")[0]
            # A folder with a dot or a dash is no package, but tells of one.
            package = entry.is_dir() and entry.name.isidentifier() and name != "__pycache__"
            module = entry.name.endswith(suffixes) and entry.is_file()
            if (package or module) and entry.path not in dispensable:
                found.setdefault(name, []).append(entry.path)
    return {name: paths for name, paths in found.items() if name not in sys.stdlib_module_names}


def metadata() -> list[str]:
    """Return what tells of installed packages, and what acts when Python starts."""
    dispensable, _ = finders()
    found: list[str] = []
    for folder in packages():
        found += map(str, sorted(Path(folder).glob("*.pth")))
        for told in sorted(Path(folder).glob("*-info")):
            found += (f"{told}/{name}" for name in _TOLD) if told.is_dir() else (str(told),)
    return [path for path in found if path not in dispensable]


def sources() -> list[str]:
    """Return packages and modules that are installed where they are written, or on PYTHONPATH."""
    found: list[str] = []
    folders = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    installed = packages()
    for place in map(Path, installed):
        for pth in sorted(place.glob("*.pth")):
            for line in pth.read_text(errors="replace").splitlines():
                folder = os.path.join(place, line.strip())
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    folders.append(folder)
        for finder in sorted(place.glob("__editable__*finder.py")):
            found += _mapped(finder).values()
    for folder in folders:
        if not os.path.isdir(folder) or folder in installed:
            continue
        # A source tree holds much beside its packages: history, documents, a virtual environment.
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            module = entry.name.endswith((".py", ".so")) and entry.is_file()
            if module or os.path.isfile(f"{entry.path}/__init__.py"):
                found.append(entry.path)
    return list(dict.fromkeys(map(os.path.abspath, found)))


def _mapped(finder: Path) -> dict[str, str]:
    """Return the names and paths in setuptools' finder of an editable install: its MAPPING."""
    import ast  # noqa: PLC0415  (slow to import, and seldom needed)

    with _parsing:
        body = ast.parse(finder.read_text()).body
    for node in body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == "MAPPING" for target in targets):
            value = getattr(node, "value", None)
            with _parsing:
                mapping: dict[str, str] = ast.literal_eval(value) if value else {}
            return {n: p if os.path.exists(p) else f"{p}.py" for n, p in mapping.items()}
    return {}


def finders() -> tuple[set[str], list[str]]:
    """Return files of editable installs that a guest does without, and the folders to add instead.

    Such a finder imports half of the standard library, which under emulation costs each start of
    Python half a second; where it finds a package under its own name, its folder in the search path
    does the same.
    """
    dispensable: set[str] = set()
    folders: dict[str, None] = {}
    for place in map(Path, packages()):
        for finder in place.glob("__editable__*finder.py"):
            mapping = _mapped(finder)
            if all(os.path.basename(p) in (n, f"{n}.py") for n, p in mapping.items()):
                folders.update((os.path.dirname(path), None) for path in mapping.values())
                starters = [p for p in place.glob("*.pth") if finder.stem in p.read_text()]
                dispensable.update(map(str, (finder, *starters)))
    return dispensable, list(folders)


def scripts() -> list[str]:
    """Return a virtual environment's scripts (pytest and the like), and what marks it as one."""
    if sys.prefix == sys.base_prefix:
        return []
    entries = sorted(os.scandir(os.path.join(sys.prefix, "bin")), key=lambda entry: entry.name)
    small = [
        e.path for e in entries if e.is_file(follow_symlinks=False) and e.stat().st_size < _SCRIPT
    ]
    return [*small, os.path.join(sys.prefix, "pyvenv.cfg")]


def files(folder: str, left_out: frozenset[str] = LEFT_OUT_OF_PACKAGES) -> Iterator[str]:
    """Walk a folder; a single file is itself.

    Args:
        folder: Its full path.
        left_out: Names of folders in it that no guest wants.
    """
    if not os.path.isdir(folder):
        yield folder
        return
    unwanted = _BEING_WRITTEN if left_out is LEFT_OUT_ANYWHERE else _LEFT_OUT_FILES
    for parent, names, found in os.walk(folder):
        names[:] = [n for n in names if n not in left_out and not n.startswith("config-")]
        for name in found:
            if not (unwanted.fullmatch(name) or _BEING_WRITTEN.fullmatch(name)):
                yield f"{parent}/{name}"
        for name in names:
            if os.path.islink(f"{parent}/{name}"):
                yield f"{parent}/{name}"

"""What `make wheel` makes: looked at, and run where there is no libbpf."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).parent.parent.parent
OF_GLIBC = re.compile(r"libc\.so\.6|ld-linux.*|lib(pthread|dl|m|rt)\.so\.\d")


class Built(NamedTuple):
    """The archives, and the wheel's files as an installer would lay them out."""

    wheel: Path
    sdist: Path
    content: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Runs what `make wheel` runs, once."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, ROOT / "tools/wheel.py", folder], check=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    shutil.unpack_archive(wheel, folder / "content", "zip")
    return Built(wheel, sdist, folder / "content")


@pytest.fixture(scope="module")
def alone(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes an environment of the wheel and cffi alone; returns its Python."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    subprocess.run([*pip, "--no-index", "--no-deps", built.wheel], check=True)
    target = next(folder.glob("lib/python*/site-packages"))
    for name in ("cffi", "pycparser"):  # copied, so that this needs no network
        for file in distribution(name).files or []:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target / file)
    return python


def without_libbpf(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command in a mount namespace where no system folder has a libbpf or a libelf."""
    known = subprocess.run(
        ["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True
    ).stdout
    found = {str(Path(path).resolve()) for path in re.findall(r"=> (\S*/lib(?:bpf|elf)\S*)", known)}
    assert any("libbpf" in path for path in found)
    hide = "".join(f"mount --bind /dev/null {path} && " for path in sorted(found))
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{hide}exec "$@"', "sh", *command],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def needed(library: Path) -> set[str]:
    """Returns the names of the libraries that a library asks for."""
    with library.open("rb") as file:
        dynamic = ELFFile(file).get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection)
        return {
            tag.needed  # type: ignore[attr-defined] # it is made from the name of the tag
            for tag in dynamic.iter_tags()
            if tag.entry.d_tag == "DT_NEEDED"
        }


def test_one_wheel_serves_every_python(built: Built) -> None:
    """The wheel is for Python's stable ABI from 3.11 on, and for a glibc that auditwheel names."""
    assert re.fullmatch(r"userrb-[\d.]+-cp311-abi3-manylinux_2_\d+_\w+\.whl", built.wheel.name)
    said = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", "--json", built.wheel],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert json.loads(said)["overall_tag"] == built.wheel.stem.split("-")[-1]


def test_both_modules_share_one_libbpf(built: Built) -> None:
    """There is one libbpf in the wheel, because what it prints goes to one place in a process."""
    (libbpf,) = (built.content / "userrb.libs").glob("libbpf*")
    modules = list((built.content / "userrb").glob("*.so"))
    assert len(modules) == 2
    assert all(libbpf.name in needed(module) for module in modules)


def test_nothing_but_glibc_is_left_to_the_system(built: Built) -> None:
    """libbpf, libelf and zlib are inside, and so is whatever else they ask for."""
    inside = {path.name for path in (built.content / "userrb.libs").iterdir()}
    assert {name.split("-")[0] for name in inside} >= {"libbpf", "libelf", "libz"}
    for library in built.content.rglob("*.so*"):
        outside = needed(library) - inside
        assert all(OF_GLIBC.fullmatch(name) for name in outside), (library.name, outside)


def test_licences_are_inside_and_named(built: Built) -> None:
    """Each library is in the notice, its licence in the metadata, and every text is there."""
    (info,) = built.content.glob("*.dist-info")
    metadata = (info / "METADATA").read_text()
    named = set(re.findall(r"^License-File: (.*)$", metadata, re.MULTILINE))
    folder = info / "licenses"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert named == there
    assert {"LICENSE", "third-party/LGPL-2.1.txt", "third-party/LGPL-3.txt"} <= there
    notice = (folder / "third-party/NOTICE.txt").read_text()
    for library in (built.content / "userrb.libs").iterdir():
        assert library.name in notice
    expression = re.findall(r"^License-Expression: (.*)$", metadata, re.MULTILINE)
    for license_ in re.findall(r"licence: (.*)", notice):
        assert license_ in expression[0]


def test_the_demos_object_and_source_are_inside(built: Built) -> None:
    """The BPF object ships with the source that it was made from."""
    for name in ("demo.bpf.c", "demo.bpf.o", "py.typed", "_core.pyi"):
        shipped = (built.content / "userrb" / name).read_bytes()
        assert shipped == (ROOT / "userrb" / name).read_bytes()


def test_the_sdist_holds_sources_only(built: Built) -> None:
    """The wheel was built from the sdist: it is complete. Nothing compiled for here is in it."""
    with tarfile.open(built.sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"LICENSE", "setup.py", "userrb/csrc/core.h", "userrb/demo.bpf.c"} <= names
    compiled = {name for name in names if name.endswith((".so", ".o", ".pyc", "_libbpf.c"))}
    assert compiled == {"userrb/demo.bpf.o"}


def test_the_same_sources_make_the_same_archives(built: Built, tmp_path: Path) -> None:
    """Made again elsewhere, the wheel and the sdist are the same to the byte."""
    subprocess.run([sys.executable, ROOT / "tools/wheel.py", tmp_path], check=True)
    for archive in (built.wheel, built.sdist):
        assert (tmp_path / archive.name).read_bytes() == archive.read_bytes(), archive.name


def test_nothing_tells_where_it_was_built(built: Built) -> None:
    """No file names the folder of the checkout."""
    for path in built.content.rglob("*"):
        if path.is_file():
            assert str(ROOT).encode() not in path.read_bytes(), path


@pytest.mark.host
def test_doctor_and_demo_work_where_there_is_no_libbpf(alone: Path, tmp_path: Path) -> None:
    """Installed alone, the wheel finds its own libbpf, and the ring works."""
    for command in ("doctor", "demo"):
        done = without_libbpf(tmp_path, alone, "-I", "-m", "userrb", command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        assert re.search("bundled with this package|131,073 taken", done.stdout)


@pytest.mark.host
def test_the_bundled_libraries_are_those_that_run(alone: Path, tmp_path: Path) -> None:
    """What the process has mapped of libbpf and libelf lies beside the package."""
    program = "import userrb; print(open('/proc/self/maps').read())"
    done = without_libbpf(tmp_path, alone, "-I", "-c", program)
    mapped = set(re.findall(r"/\S*/lib(?:bpf|elf)[-.]\S*", done.stdout))
    assert len(mapped) == 2
    assert {Path(path).parent.name for path in mapped} == {"userrb.libs"}


@pytest.mark.host
def test_without_the_wheel_there_really_is_no_libbpf(tmp_path: Path) -> None:
    """The control: what is linked with the system's libbpf does not even import there."""
    done = without_libbpf(tmp_path, sys.executable, "-c", "import userrb")
    assert done.returncode == 1
    assert "ImportError" in done.stderr


@pytest.mark.parametrize(("free", "said"), [(1, "without the GIL"), (0, "libbpf 1.1 or newer")])
def test_a_python_without_the_gil_is_refused(free: int, said: str) -> None:
    """The build of what is not tested ends with words; another Python comes to the next step."""
    script = (
        "import os, runpy, sysconfig; os.environ['PATH'] = '/nowhere'\n"
        f"sysconfig.get_config_vars()['Py_GIL_DISABLED'] = {free}\n"
        "runpy.run_path('setup.py')"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr

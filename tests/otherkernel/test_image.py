"""The image: what the guest has from the start, and what comes when something needs it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otherkernel import Machine
from otherkernel.host import workdirs
from otherkernel.image import archive, layer_files, python

pytestmark = pytest.mark.vm


def here(machine: Machine) -> set[str]:
    """Return the packages that have come."""
    done = machine.run(["ls", "/.otherkernel/here"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_plain_command_needs_nothing(folder: Path) -> None:
    """After `true` there is neither Python's library nor a package; after an import, just that."""
    with Machine("6.12") as machine:
        machine.run(["true"], check=True)
        library = f"{python.standard_library()[0]}/json/__init__.py"
        assert machine.run(["test", "-e", library]).returncode == 1
        assert here(machine) == set()
        machine.run(["python3", "-c", "import cffi"], check=True)
        machine.run(["test", "-e", library], check=True)
        assert "cffi" in here(machine)
        assert "numpy" not in here(machine)
        done = machine.run(
            ["python3", "-c", "import numpy; print(numpy.arange(4).sum())"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "6\n"
        assert "numpy" in here(machine)


@pytest.mark.parametrize("env", [{}, {"PWD": "/a b", "SHLVL": "3", "PATH": "/bin", "A": "=\n="}])
def test_first_runs_see_what_later_ones_see(folder: Path, env: dict[str, str]) -> None:
    """A program's first run has the words, environment, input and status of any other."""
    script = (
        "import os, sys; print(sys.argv[1:], sorted(os.environ.items()), sys.executable, "
        "sys.stdin.read()); sys.exit(7)"
    )
    words = [sys.executable, "-c", script, "a b", "", "$x"]
    with Machine("6.12") as machine:
        runs = [
            machine.run(words, env=env, input="in", capture_output=True, text=True)
            for _ in range(2)
        ]
    assert runs[0].stdout == runs[1].stdout != ""
    assert [(run.returncode, run.stderr) for run in runs] == [(7, ""), (7, "")]


@pytest.mark.parametrize("option", ["-I", "-E", "-s"])
def test_isolated_pythons_import_packages(machine: Machine, folder: Path, option: str) -> None:
    """Options that turn off variables and the user's own packages leave installed ones in reach."""
    machine.run([sys.executable, option, "-c", "import pluggy, cffi"], check=True)


def test_python_without_site_has_its_library(machine: Machine, folder: Path) -> None:
    """With -S there is the standard library, and no package, as on the host."""
    machine.run([sys.executable, "-S", "-c", "import json, ssl, sqlite3"], check=True)
    done = machine.run([sys.executable, "-S", "-c", "import cffi"], capture_output=True)
    assert b"ModuleNotFoundError" in done.stderr


def test_programs_come_from_a_script(folder: Path) -> None:
    """Scripts find their interpreters, with a cleared environment and many at once."""
    (folder / "script").write_text("#!/bin/bash\necho ${BASH_VERSION%%.*} $1\n")
    (folder / "script").chmod(0o755)
    with Machine("6.12") as machine:
        many = "for i in 1 2 3 4 5; do env -i ./script $i & done; wait"
        done = machine.run(["sh", "-c", many], capture_output=True, text=True, check=True)
        lines = [line.split() for line in done.stdout.splitlines()]
        assert sorted(number for _, number in lines) == list("12345")
        machine.run(["bpftool", "version"], check=True, stdout=subprocess.PIPE)
        pythons = "for i in 1 2 3; do python3 -c 'import cffi, pycparser' & done; wait"
        machine.run(["sh", "-c", pythons], check=True)


def test_a_killed_command_leaves_no_half_layer(folder: Path) -> None:
    """A command that ends while Python is on its way does not break the next one."""
    with Machine("6.12") as machine:
        early = "python3 -c pass & until test -s /.otherkernel/archive; do :; done"
        machine.run(["sh", "-c", early], check=True)
        machine.run(["python3", "-c", "import json, cffi"], check=True)


def test_an_interrupt_meanwhile_kills_the_command(folder: Path) -> None:
    """A signal that arrives while Python is on its way is obeyed."""
    receiving, sending = os.pipe()
    with Machine("6.12") as machine:
        os.write(sending, bytes([signal.SIGINT]))
        done = machine.run(["python3", "-c", "import time; time.sleep(600)"], signals=receiving)
        assert done.returncode in (-signal.SIGINT, 130, 1)
        machine.run(["python3", "-c", "pass"], check=True)
    os.close(sending)
    os.close(receiving)


def test_versions_are_known_without_the_package(folder: Path) -> None:
    """Metadata is there for all installed packages, also those that nobody imports."""
    script = "import importlib.metadata as m; print(m.version('numpy'))"
    with Machine("6.12") as machine:
        inside = machine.run(["python3", "-c", script], capture_output=True, text=True, check=True)
        assert "numpy" not in here(machine)
    outside = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert inside.stdout == outside.stdout


def test_the_directorys_own_module_wins(machine: Machine, folder: Path) -> None:
    """A module in the working directory hides an installed one of its name, as on the host."""
    (folder / "pluggy.py").write_text("mine = 1\n")
    (folder / "yaml").mkdir()
    (folder / "yaml" / "data").touch()
    script = "import pluggy, yaml; print(pluggy.mine, hasattr(yaml, 'safe_load'))"
    inside = machine.run(["python3", "-c", script], capture_output=True, text=True, check=True)
    assert inside.stdout == "1 True\n"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/etc/shadow",
        "../../etc/passwd",
        "..",
        "os",
        "json",
        "/bash/..",
        "no such",
        "\udcff",
    ],
)
def test_only_names_of_the_table_are_answered(name: str) -> None:
    """A guest that asks for a path, or for what is not installed, gets nothing."""
    assert list(layer_files.LayerFiles(archive.made()).pieces(name, lambda _: False)) == []


def test_a_module_brings_only_its_own_files() -> None:
    """A layer has a package's files and the libraries that they need, and no other package's."""
    found = b"".join(layer_files.LayerFiles(archive.made()).pieces("cffi", lambda _: False))
    assert b"site-packages/cffi/api.py\0" in found
    assert b"pycparser/" not in found
    assert b"etc/" not in found


def test_what_the_directory_has_is_not_sent_again(tmp_path: Path) -> None:
    """Files of the working directory are left out of layers, but for what is not copied with it."""
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    carried = workdirs.carries(os.fsencode(tmp_path))
    assert carried(f"{tmp_path}/deep/module.py")
    assert not carried(f"{tmp_path}/deep/__pycache__/module.pyc")
    assert not carried(f"{tmp_path}/venv/lib/module.py")
    assert not carried("/usr/lib/module.py")
    assert not workdirs.carries(b"")("/usr/lib/module.py")


def test_the_guest_keeps_what_it_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's arrival does not put back a source that the command has just changed."""
    (folder / "changing").mkdir()
    (folder / "changing" / "__init__.py").write_text("word = 'old'\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    script = "sed -i s/old/new/ */__init__.py; python3 -c 'import changing; print(changing.word)'"
    with Machine("6.12") as machine:
        done = machine.run(script, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "new\n"
    assert "new" in (folder / "changing" / "__init__.py").read_text()


def test_archives_are_made_again_when_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of an installed package gives another layer."""
    package = tmp_path / "site-packages" / "changing"
    package.mkdir(parents=True)
    monkeypatch.setattr(python, "modules", lambda: {"changing": [str(package)]})
    made = layer_files.LayerFiles(archive.made())
    for word in (b"first", b"second!"):
        (package / "__init__.py").write_bytes(word)
        assert word in b"".join(made.pieces("changing", lambda _: False))


def test_a_damaged_archive_is_found_while_it_boots(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flipped byte in the archive is found before the guest is used, and made good."""
    made = archive.made().path
    sound = made.read_bytes()
    made.write_bytes(sound.replace(b"echo guest", b"echo ghost"))
    with Machine("6.12") as machine:
        done = machine.run(["hostname"], capture_output=True, text=True)
    assert (done.stdout, machine.boot_retries) == ("guest\n", 0)
    assert made.read_bytes() == sound
    assert capsys.readouterr().err.count("is damaged") == 1

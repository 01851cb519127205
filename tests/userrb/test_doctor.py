"""`python -m userrb doctor`: what it finds, and what it says where something is missing."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import userrb
from userrb import doctor, machine
from userrb.__main__ import main

AS_NOBODY = (
    "import os, pathlib, sys, userrb.__main__ as command\n"
    "from userrb import machine\n"
    "machine.ROOT = pathlib.Path('/nowhere')\n"  # or a container in which this runs would count
    "machine.PROC = pathlib.Path(sys.argv.pop(1))\n"
    "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    "sys.exit(command.main(sys.argv[1:]))\n"
)

Fake = Callable[[str, str], Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts shell scripts where tools are looked for, first of all; PATH holds nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name: str, script: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that may fail."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


def states(report: str) -> dict[str, str]:
    """Returns each check's state from a report in JSON."""
    return {check["name"]: check["state"] for check in json.loads(report)["checks"]}


@pytest.mark.host
def test_the_ring_can_be_used_here(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the tests run, all is well: status 0, and the last line says so."""
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "can be used here" in said.splitlines()[-1]
    assert "\033" not in said


@pytest.mark.host
def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """The report in JSON has each check of the text, and the verdict."""
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["usable"] is True
    assert report["userrb"] == userrb.__version__
    assert [check["name"] for check in report["checks"][:3]] == ["kernel", "privilege", "ring"]


@pytest.mark.host
def test_nobody_is_told_to_become_root() -> None:
    """Without privilege: status 1, privilege and ring are missing, and the remedy is a command."""
    done = run(sys.executable, "-c", AS_NOBODY, "/proc", "doctor")
    assert done.returncode == 1
    assert f"-> run it as root: sudo {sys.executable} -m userrb doctor\n" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("cannot be used here. See: privilege, ring.")
    assert done.stderr == ""


@pytest.mark.host
def test_nobody_without_proc_is_told_the_same() -> None:
    """Where capabilities cannot be read, the refusal itself says enough."""
    done = run(sys.executable, "-c", AS_NOBODY, "/nowhere", "doctor", "--json")
    assert done.returncode == 1
    assert states(done.stdout)["privilege"] == "missing"


@pytest.mark.host
def test_neither_proc_nor_sys_is_needed() -> None:
    """With /proc and /sys empty, the ring is still found usable."""
    hide = 'mount -t tmpfs none /proc && mount -t tmpfs none /sys && exec "$@"'
    command = (sys.executable, "-m", "userrb", "doctor", "--json")
    done = run("unshare", "--mount", "sh", "-c", hide, "sh", *command)
    assert done.returncode == 0, done.stderr
    assert states(done.stdout)["BTF"] == "optional"


def test_root_of_a_user_namespace_is_told_why_not() -> None:
    """In a user namespace root holds CAP_BPF, which does not count."""
    done = run("unshare", "--user", "--map-root-user", sys.executable, "-m", "userrb", "doctor")
    assert done.returncode == 1
    assert "BPF ignores the rights of root in a user namespace" in done.stdout


@pytest.mark.parametrize(
    ("refusal", "release", "state", "words"),
    [
        (0, "6.1.0", "ok", "a map was created"),
        (errno.EINVAL, "5.15.0-91-generic", "missing", "has no user ring buffer"),
        (errno.ENOSYS, "4.4.0", "missing", "no bpf() call at all"),
        (errno.ENOMEM, "6.1.0", "missing", "Cannot allocate memory"),
        (errno.EPERM, "6.1.0", "ok", "new enough by its version"),
        (errno.EPERM, "6.0.19", "missing", "too old by its version"),
        (errno.EACCES, "unheard-of", "missing", "too old by its version"),
    ],
)
def test_the_kernel_is_judged_by_what_it_answers(
    monkeypatch: pytest.MonkeyPatch, refusal: int, release: str, state: str, words: str
) -> None:
    """Creating a map decides; only where that is forbidden, the release does."""
    names = ("Linux", "host", release, "#1", "x86_64")
    monkeypatch.setattr("os.uname", lambda: type("uname", (), {"release": names[2]})())
    monkeypatch.setattr("platform.machine", lambda: names[4])
    check = doctor.check_kernel(refusal)
    assert check.state == state
    assert words in check.found
    assert release in check.found
    assert bool(check.remedy) == (state == "missing")


def test_a_container_is_told_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root of a container without CAP_BPF learns the option that gives it."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text("CapEff:\t00000000a80425fb\n")
    (tmp_path / "self/uid_map").write_text("         0          0 4294967295\n")
    (tmp_path / ".dockerenv").touch()
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    check = doctor.check_privilege(errno.EPERM)
    assert check.state == "missing"
    assert "in a container (Docker)" in check.found
    assert "--cap-add BPF" in check.remedy


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ({"ubuntu", "debian"}, "apt install clang"),
        ({"rocky", "rhel", "centos", "fedora"}, "dnf install clang"),
        ({"arch"}, "pacman -S clang"),
        (set(), "(Debian: clang; Fedora: clang; Arch: clang)"),
    ],
)
def test_a_missing_clang_is_optional_and_has_the_distributions_package(
    monkeypatch: pytest.MonkeyPatch, fake: Fake, family: set[str], words: str
) -> None:
    """Without clang the ring works; how to install it is said in this distribution's words."""
    monkeypatch.setattr(machine, "distribution", lambda: frozenset(family))
    check = doctor.check_clang()
    assert check.state == "optional"
    assert words in check.remedy


def test_a_clang_with_a_version_in_its_name_is_found(fake: Fake) -> None:
    """Of several versioned compilers the newest is named, where there is no plain one."""
    fake("clang-9", "echo clang version 9.0.1")
    path = fake("clang-18", "echo clang version 18.1.8")
    check = doctor.check_clang()
    assert check == ("clang", "ok", f"18.1.8 ({path}), with the bpf target", "")


def test_a_clang_that_cannot_compile_for_bpf_is_not_ok(fake: Fake) -> None:
    """A compiler without the bpf target is found out by using it."""
    fake("clang", '[ "$1" = --version ] && echo clang version 14.0.6')
    check = doctor.check_clang()
    assert check.state == "optional"
    assert "cannot compile for bpf" in check.found


@pytest.mark.parametrize("script", ["exit 1", "exec /bin/sleep 60", "kill -SEGV $$"])
@pytest.mark.parametrize("check", [doctor.check_clang, doctor.check_bpftool, doctor.check_vm])
def test_a_tool_that_does_not_run_is_not_ok(
    monkeypatch: pytest.MonkeyPatch, fake: Fake, script: str, check: Callable[[], doctor.Check]
) -> None:
    """A tool that fails, hangs or crashes is reported, and is not waited for."""
    monkeypatch.setattr(machine, "TIMEOUT", 0.2)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for name in ("clang", "bpftool", "qemu-system-x86_64"):
        fake(name, script)
    assert check().state == "optional"
    assert "does not run" in check().found


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("[none] integrity confidentiality\n", "ok"),
        ("none [integrity] confidentiality\n", "ok"),
        ("none integrity [confidentiality]\n", "optional"),
        (None, "ok"),
    ],
)
def test_lockdown_never_forbids_the_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, state: str
) -> None:
    """Only confidentiality takes something away, and not the ring."""
    folder = tmp_path / "kernel/security"
    folder.mkdir(parents=True)
    if text:
        (folder / "lockdown").write_text(text)
    monkeypatch.setattr(machine, "SYS", tmp_path)
    assert doctor.check_lockdown().state == state


def test_missing_headers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each header that is not there is named, with its package."""
    (tmp_path / "usr/include/linux").mkdir(parents=True)
    (tmp_path / "usr/include/linux/bpf.h").touch()
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    check = doctor.check_headers()
    assert check.found.startswith("no bpf/bpf_helpers.h;")
    assert "libbpf" in check.remedy


def test_a_kvm_that_does_not_answer_is_not_called_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is at /dev/kvm is asked, not only looked for."""
    monkeypatch.setattr(machine, "DEV", tmp_path)
    assert machine.kvm() == "none"
    (tmp_path / "kvm").touch()
    assert machine.kvm() == "broken"


def test_colour_is_only_for_the_state() -> None:
    """A terminal gets colour, and the words are the same."""
    checks = doctor.examine()
    plain, coloured = (doctor.report_text(checks, colour=colour) for colour in (False, True))
    assert coloured != plain
    for code in ("\033[32m", "\033[31m", "\033[33m", "\033[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


@pytest.mark.parametrize(
    ("term", "no_colour", "shown"),
    [
        ("xterm", None, True),
        ("xterm", "", True),
        ("xterm", "1", False),
        ("dumb", None, False),
        (None, None, False),
    ],
)
def test_colour_is_for_terminals_that_have_it(
    monkeypatch: pytest.MonkeyPatch, term: str | None, no_colour: str | None, shown: bool
) -> None:
    """A dumb terminal gets none, nor does a user who has set NO_COLOR."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name, value in {"TERM": term, "NO_COLOR": no_colour}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert doctor.shows_colour() == shown


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`python -m userrb doctor | head -n 1` prints one line and no traceback."""
    done = run("sh", "-c", f"{sys.executable} -u -m userrb doctor | head -n 1")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """No command is status 2, as with any other program."""
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "usage: python -m userrb" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the package's version and libbpf's."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    expected = f"userrb {userrb.__version__} (libbpf {userrb.LIBBPF_VERSION})\n"
    assert capsys.readouterr().out == expected

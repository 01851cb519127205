"""Working directories: what the host has goes in, what commands do comes back."""

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otherkernel.errors import Error, FilesKept
from otherkernel.machine import Machine

pytestmark = pytest.mark.vm


def test_files_go_in_and_come_back(machine: Machine, folder: Path) -> None:
    """Binary files, folders, links, execute bits and times are alike on both sides."""
    noise = random.Random(3).randbytes(5 << 20)
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "deep" / "deeper" / "noise").write_bytes(noise)
    (folder / "script").write_text("#!/bin/sh\ncp deep/deeper/noise copy\n")
    (folder / "script").chmod(0o755)
    (folder / "link").symlink_to("deep")
    os.utime(folder / "script", (1_000_000_000, 1_000_000_000))
    machine.run(["./script"], check=True)
    assert (folder / "copy").read_bytes() == noise
    machine.run(
        "test $(stat -c %Y script) = 1000000000 && mkdir -p new/empty && ln -s ../copy new/link && "
        "printf '#!/bin/sh\\n' >new/tool && chmod 750 new/tool && readlink link >target",
        shell=True,
        check=True,
    )
    assert (folder / "new" / "empty").is_dir()
    assert os.readlink(folder / "new" / "link") == "../copy"
    assert (folder / "new" / "tool").stat().st_mode & 0o777 == 0o750
    assert (folder / "target").read_text() == "deep\n"


def test_changes_and_removals_come_back(machine: Machine, folder: Path) -> None:
    """A file changed in place, one replaced by a folder, and removed ones are so on the host."""
    (folder / "kept").write_text("1")
    (folder / "changed").write_text("1")
    (folder / "same-size").write_text("1")
    (folder / "turned").write_text("1")
    (folder / "gone" / "deep").mkdir(parents=True)
    (folder / "gone" / "deep" / "file").write_text("1")
    before = (folder / "kept").stat()
    script = "echo 2 >>changed; printf 2 >same-size; rm -r gone turned; mkdir turned"
    machine.run(f"{script}; echo >turned/f", shell=True, check=True)
    assert (folder / "changed").read_text() == "12\n"
    assert (folder / "same-size").read_text() == "2"
    assert (folder / "turned" / "f").exists()
    assert not (folder / "gone").exists()
    after = (folder / "kept").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_only_what_changed_is_sent_again(machine: Machine, folder: Path) -> None:
    """The host's later changes arrive, and the second command does not wait for the old files."""
    (folder / "large").write_bytes(bytes(40 << 20))
    machine.run(["true"], check=True)
    started = time.monotonic()
    (folder / "small").write_text("x")
    (folder / "large").rename(folder / "renamed")
    assert machine.run(["ls"], capture_output=True).stdout == b"renamed\nsmall\n"
    (folder / "renamed").unlink()
    assert machine.run(["ls"], capture_output=True).stdout == b"small\n"
    assert time.monotonic() - started < 5


def during(machine: Machine, script: str, do: Callable[[], object]) -> None:
    """Run a script in the guest, and do something here when it has said a word."""
    read, write = os.pipe()
    with ThreadPoolExecutor() as pool, open(read, "rb") as said:
        command = f"echo go; cat >/dev/null; {script}"
        held, release = os.pipe()
        running = pool.submit(machine.run, command, shell=True, stdin=held, stdout=write)
        try:
            assert said.readline() == b"go\n"
            do()
        finally:
            os.close(release)
        try:
            running.result()
        finally:
            os.close(held)
            os.close(write)


def test_what_changed_here_meanwhile_wins(machine: Machine, folder: Path) -> None:
    """A file that both sides change stays as it is here, and is named; the rest comes back."""
    for name in ("changed", "removed", "other"):
        (folder / name).write_text("1")

    def change() -> None:
        (folder / "changed").write_text("mine")
        (folder / "removed").write_text("mine")
        (folder / "made").write_text("mine")

    script = "echo theirs | tee changed made other; rm removed"
    with pytest.raises(FilesKept, match="changed there meanwhile") as kept:
        during(machine, script, change)
    assert set(kept.value.paths) == {"changed", "removed", "made"}
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found == {**dict.fromkeys(("changed", "removed", "made"), "mine"), "other": "theirs\n"}
    assert machine.run(["cat", "changed", "made"], capture_output=True).stdout == b"minemine"


def test_what_is_written_here_meanwhile_is_sent(machine: Machine, folder: Path) -> None:
    """A file that appears here while a command runs is there for the next one."""
    during(machine, "true", lambda: (folder / "late").write_text("late"))
    assert machine.run(["cat", "late"], capture_output=True).stdout == b"late"


def test_an_emptied_guest_empties_nothing_here(folder: Path) -> None:
    """`rm -rf /` and `rm -rf *` in a guest leave the directory here as it was, and say so."""
    for name in ("a", "b"):
        (folder / name).write_text(name)
    with Machine("6.12") as machine:
        with pytest.raises(FilesKept, match="removed every file"):
            machine.run("rm -rf ./*", shell=True)
        assert machine.run(["ls"], capture_output=True).stdout == b"a\nb\n"
        with pytest.raises(FilesKept, match="itself in the guest"):
            machine.run("rm -rf / 2>/dev/null; true", shell=True)
    assert sorted(os.listdir(folder)) == ["a", "b"]


def test_an_unreadable_file_is_named(
    machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be read here, and so not be sent, is an Error with its name."""

    def refuse(*args: object) -> Iterator[bytes]:
        raise PermissionError(13, "Permission denied", b"secret")

    (folder / "secret").write_text("x")
    monkeypatch.setattr("otherkernel.tree.pack", refuse)
    with pytest.raises(Error, match="secret: Permission denied"):
        machine.run(["true"])


def test_directories_are_clean(machine: Machine, tmp_path: Path) -> None:
    """A command sees its own directory's files only, and a removed directory starts anew."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    machine.run("echo >mine", shell=True, cwd=first, check=True)
    assert machine.run(["ls"], cwd=second, capture_output=True).stdout == b""
    (first / "mine").unlink()
    assert machine.run(["ls"], cwd=first, capture_output=True).stdout == b""
    with Machine("6.12") as other:
        assert other.run(["ls"], cwd=first, capture_output=True).stdout == b""


def test_background_processes_end_with_the_command(machine: Machine, folder: Path) -> None:
    """What a command leaves running neither delays it nor outlives it."""
    started = time.monotonic()
    machine.run("sleep 60 & sleep 61 & echo started", shell=True, check=True)
    assert time.monotonic() - started < 10
    assert b"sleep 6" not in machine.run(["ps"], capture_output=True).stdout


def test_caches_and_environments_stay_at_home(machine: Machine, folder: Path) -> None:
    """Version control, tools' caches and virtual environments are not copied."""
    for name in (".git", "__pycache__", "venv"):
        (folder / name).mkdir()
        (folder / name / "pyvenv.cfg").write_text("")
    assert machine.run(["ls", "-A"], capture_output=True).stdout == b""
    assert (folder / "venv" / "pyvenv.cfg").exists()


def test_a_large_directory_is_refused(machine: Machine, folder: Path) -> None:
    """A directory of more than 64 MiB is refused with a word on what to do."""
    with (folder / "huge").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(Error, match="only what it needs"):
        machine.run(["true"])
    (folder / "huge").unlink()
    assert machine.run(["true"]).returncode == 0


def test_a_missing_directory_is_refused(machine: Machine, tmp_path: Path) -> None:
    """A working directory that does not exist is a FileNotFoundError, as in `subprocess`."""
    with pytest.raises(FileNotFoundError):
        machine.run(["true"], cwd=tmp_path / "nowhere")


def test_the_hosts_programs_run(machine: Machine, folder: Path) -> None:
    """A program compiled on the host, linked to shared libraries, runs in the guest."""
    (folder / "it.c").write_text('#include <stdio.h>\nint main(void) { puts("it runs"); }\n')
    subprocess.run(["cc", "-o", "it", "it.c"], check=True)
    assert machine.run(["./it"], capture_output=True).stdout == b"it runs\n"

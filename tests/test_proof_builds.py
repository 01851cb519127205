"""The stand-in for compilers: what has not changed is not built again, and nothing else is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from proof_support import Scratch, console

from proof import builds, compiler

PROGRAM = '#include "own.h"\n#include <stdio.h>\nint main(void) { puts(SAID); return 0; }\n'


class Builder:
    """A session's directory, and a compiler that says how often it was called."""

    def __init__(self, root: Path) -> None:
        self.home, self.kept, self._log = (root / name for name in ("home", "kept", "log"))
        self.home.mkdir()
        self.kept.mkdir()
        self.real = root / "cc"
        self.real.write_text(f'#!/bin/sh\necho >>{self._log}\nexec cc "$@"\n', encoding="utf-8")
        self.real.chmod(0o755)
        self.write("a.c", PROGRAM)
        self.write("own.h", '#define SAID "one"\n')

    def write(self, name: str, text: str) -> Path:
        """Write a file of the session's."""
        path = self.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        # It was written before the compiler began, also for a clock that ticks slowly.
        os.utime(path, ns=(1, path.stat().st_mtime_ns - 10**9))
        return path

    def make(self, *arguments: str, status: int = 0) -> str:
        """Compile; return what was said."""
        words = [
            sys.executable,
            "-IS",
            compiler.__file__,
            str(self.real),
            str(self.kept),
            str(self.home),
        ]
        done = subprocess.run(
            [*words, *arguments],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    @property
    def calls(self) -> int:
        """How often the compiler itself was called."""
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0

    def says(self) -> str:
        """Run what was made."""
        return subprocess.run(
            ["./a"], cwd=self.home, check=True, capture_output=True, text=True
        ).stdout


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """An empty cache, and a program of a source and a header."""
    return Builder(tmp_path)


def test_what_has_not_changed_is_copied(builder: Builder) -> None:
    """The same program, and the same object, are made once, whatever has become of the first."""
    first: list[bytes] = []
    for _ in range(3):
        builder.make("-O2", "-Wall", "-o", "a", "a.c", "-lm", "-pthread")
        builder.make("-g", "-c", "a.c", "-o", "a.o")
        assert builder.says() == "one\n"
        assert builder.calls == 2
        made = [(builder.home / name).read_bytes() for name in ("a", "a.o")]
        assert made == (first := first or made)
        for name in ("a", "a.o"):
            (builder.home / name).unlink()


def test_debugging_information_names_this_directory(builder: Builder) -> None:
    """What was made in another directory is the same, to the byte, as if it were made here."""
    builder.make("-g", "-c", "a.c", "-o", "a.o")
    there = builder.home
    builder.home = there.with_name("emoh")
    there.rename(builder.home)
    (builder.home / "a.o").unlink()
    builder.make("-g", "-c", "a.c", "-o", "a.o")
    assert builder.calls == 1
    copied = (builder.home / "a.o").read_bytes()
    subprocess.run(["cc", "-g", "-c", "a.c", "-o", "a.o"], cwd=builder.home, check=True)
    assert copied == (builder.home / "a.o").read_bytes()
    assert bytes(builder.home) in copied
    (builder.home / "a.o").unlink()
    builder.home.rename(builder.home.with_name("longer"))
    builder.home = builder.home.with_name("longer")
    builder.make("-g", "-c", "a.c", "-o", "a.o")
    assert builder.calls == 2


def test_a_library_that_is_new_counts(builder: Builder, tmp_path: Path) -> None:
    """So does one that the linker would now find first, within the session or without."""
    builder.write("own.h", "const char *said(void);\n#define SAID said()\n")
    folders = [builder.home / "one", tmp_path / "two", builder.home / "three"]
    for folder in folders:
        folder.mkdir()
    made = str(tmp_path / "l.o")
    for number in (2, 1, 0):
        text = f'const char *said(void) {{ return "{number}"; }}'
        subprocess.run(["cc", "-x", "c", "-c", "-", "-o", made], input=text, text=True, check=True)
        subprocess.run(["ar", "rc", str(folders[number] / "libl.a"), made], check=True)
        builder.make("-o", "a", "a.c", "-Lone", f"-L{tmp_path}/two", "-Lthree", "-ll")
        assert builder.says() == f"{number}\n"


def test_its_end_by_a_closed_pipe_is_its_own(builder: Builder) -> None:
    """A compiler whose reader goes away ends by the signal, as without a stand-in."""
    builder.write("a.c", "int x;\n" * 100_000)
    stand_in = [sys.executable, "-IS", compiler.__file__, "/usr/bin/cc", builder.kept, builder.home]
    script = '"$@" -E a.c | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}'
    ends = [
        subprocess.run(
            ["bash", "-c", script, "bash", *words],
            cwd=builder.home,
            capture_output=True,
            check=True,
        )
        for words in (["cc"], stand_in)
    ]
    assert (ends[0].stdout, ends[0].stderr) == (ends[1].stdout, ends[1].stderr)


def test_another_argument_is_another_program(builder: Builder) -> None:
    """Every argument counts."""
    builder.make("-o", "a", "a.c")
    builder.make("-O1", "-o", "a", "a.c")
    assert builder.calls == 2


def test_a_changed_header_counts(builder: Builder) -> None:
    """So does what a header says, and one that is new in the place where it is looked for first."""
    builder.make("-I", "there", "-o", "a", "a.c")
    builder.write("own.h", '#define SAID "two"\n')
    builder.make("-I", "there", "-o", "a", "a.c")
    assert (builder.says(), builder.calls) == ("two\n", 2)
    builder.write("stdio.h", "int puts(const char *);\n")
    builder.make("-I", "there", "-o", "a", "a.c")
    assert builder.calls == 3


def test_a_changed_library_counts(builder: Builder, tmp_path: Path) -> None:
    """So does what the linker reads."""
    source = builder.write("l.c", "const char *said(void) { return SAID; }\n")
    builder.write("own.h", "const char *said(void);\n#define SAID said()\n")
    archive = tmp_path / "libl.a"
    for word in ("one", "three"):
        subprocess.run(
            ["cc", f'-DSAID="{word}"', "-c", source, "-o", "l.o"], cwd=tmp_path, check=True
        )
        subprocess.run(["ar", "rc", archive, "l.o"], cwd=tmp_path, check=True)
        os.utime(archive, (1, len(word)))
        builder.make("-o", "a", "a.c", f"-L{tmp_path}", "-ll")
        assert builder.says() == f"{word}\n"
    assert builder.calls == 2


def test_another_compiler_counts(builder: Builder) -> None:
    """A compiler that was upgraded has to show what it makes."""
    builder.make("-o", "a", "a.c")
    os.utime(builder.real, (2, 2))
    builder.make("-o", "a", "a.c")
    assert builder.calls == 2


def test_its_words_come_each_time(builder: Builder) -> None:
    """What makes the compiler warn is built each time, and its words are its own."""
    builder.write("a.c", "int main(void) { int unused; return 0; }\n")
    said = builder.make("-Wall", "-o", "a", "a.c")
    words = ["cc", "-Wall", "-o", "a", "a.c"]
    plain = subprocess.run(words, cwd=builder.home, stderr=subprocess.PIPE, text=True, check=True)
    assert said == plain.stderr
    assert "unused variable" in said
    assert said == builder.make("-Wall", "-o", "a", "a.c")


def test_an_error_is_the_compilers(builder: Builder) -> None:
    """What cannot be compiled ends with the compiler's status and words, and leaves nothing."""
    builder.write("a.c", "int main(void) { return\n")
    assert "a.c:1:" in builder.make("-o", "a", "a.c", status=1)
    assert "no such file" in builder.make("-o", "a", "b.c", status=1).lower()
    assert not any(builder.kept.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["-MD", "-o", "a", "a.c"],
        ["-save-temps", "-o", "a", "a.c"],
        ["-Wl,-Map=map", "-o", "a", "a.c"],
        ["-o", "a", "a.c", "b.c"],
        ["a.c"],
        ["-o", "/dev/null", "a.c"],
        ["-fstack-usage", "-c", "-o", "a.o", "a.c"],
        ["-fsyntax-only", "-o", "a", "a.c"],
        ["-D__OWN=__TIME__", "-o", "a", "a.c"],
        ["-include", "/dev/null", "-o", "a", "a.c"],
        ["--version"],
    ],
)
def test_what_is_not_plain_is_left_to_the_compiler(builder: Builder, arguments: list[str]) -> None:
    """Arguments that make anything else than one file of one source are not looked at."""
    builder.write("b.c", "")
    builder.make(*arguments)
    builder.make(*arguments)
    assert builder.calls == 2
    assert not any(builder.kept.iterdir())


@pytest.mark.parametrize("text", ['"own.h"\n__DATE__', '"own.h"\n__TIME__'])
def test_what_depends_on_the_time_is_not_kept(builder: Builder, text: str) -> None:
    """A program with the date in it is another one tomorrow."""
    builder.write("own.h", f"#define SAID {text.splitlines()[1]}\n")
    builder.make("-o", "a", "a.c")
    builder.make("-o", "a", "a.c")
    assert not any(builder.kept.iterdir())


def test_a_damaged_entry_is_none(builder: Builder) -> None:
    """What is kept and cannot be read is built again."""
    builder.make("-o", "a", "a.c")
    (entry,) = builder.kept.iterdir()
    whole = entry.read_bytes()
    for damage in (b"", b"{}\n", b"\xff\xfe", whole[:20], whole[:-1]):
        entry.write_bytes(damage)
        builder.make("-o", "a", "a.c")
        assert builder.says() == "one\n"


def test_an_example_is_built_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A session takes what an earlier one has built, and the example's files count as used."""
    monkeypatch.setenv("PROOF_CACHE", str(tmp_path / "cache"))
    builds._folder.cache_clear()
    request.addfinalizer(builds._folder.cache_clear)
    page = '```c title="a.c"\n#include "own.h"\nint main(void) { return STATUS; }\n```\n\n'
    page += '```c title="own.h"\n#define STATUS 3\n```\n\n'
    page = page + console("$ cc -o a a.c", "$ ./a", "$ echo $?", "3").partition("## Example")[2]
    root = tmp_path / "site"
    root.mkdir()
    scratch = Scratch(root)
    assert not scratch.prove(f"## Example\n\n{page}").failures
    (entry,) = (tmp_path / "cache/builds").iterdir()
    made = entry.stat()
    assert not scratch.prove(f"## Example\n\n{page}").failures
    (entry,) = (tmp_path / "cache/builds").iterdir()
    assert entry.stat().st_ino == made.st_ino
    assert entry.stat().st_mtime_ns > made.st_mtime_ns


def test_nothing_is_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody has asked for in 30 days is deleted; a cache that is none means building."""
    monkeypatch.setenv("PROOF_CACHE", str(tmp_path))
    builds._folder.cache_clear()
    (tmp_path / "builds").mkdir()
    old, new = (tmp_path / "builds" / name for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    assert builds._folder() == tmp_path / "builds"
    assert (old.exists(), new.exists()) == (False, True)
    builds._folder.cache_clear()
    monkeypatch.setenv("PROOF_CACHE", str(new))
    assert builds._folder() is None
    builds._folder.cache_clear()

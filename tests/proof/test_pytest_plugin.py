"""`pytest --proof`: examples of Markdown files as tests, without any configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.host

ADD = """\
# Add

```c title="add.c"
#include <stdio.h>
int main(void) { printf("%d\\n", 1 + 2); return 0; }
```

```console
$ cc -o add add.c
$ ./add
3
```
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one page of plain Markdown."""
    (tmp_path / "README.md").write_text(ADD)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run pytest there as a user would; return its status and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_example_is_a_test(folder: Path) -> None:
    """A page of plain Markdown needs no configuration."""
    status, said = run(folder, "--proof", "README.md")
    assert status == 0, said
    assert "1 passed" in said


def test_without_the_option_markdown_is_left_alone(folder: Path) -> None:
    """Who has the package installed, and does not ask for it, sees nothing of it."""
    assert "no tests ran" in run(folder)[1]


def test_a_wrong_digit_is_a_failure_with_page_and_line(folder: Path) -> None:
    """What the page shows and the program does not print is named, also in JUnit's file."""
    (folder / "README.md").write_text(ADD.replace("\n3\n", "\n4\n"))
    status, said = run(folder, "--proof", "--junitxml=junit.xml")
    assert status == 1
    assert "README.md:11: the page shows another output" in said
    assert "Traceback" not in said
    failure = ET.parse(folder / "junit.xml").find(".//failure")  # noqa: S314 - our own
    assert failure is not None
    assert "README.md:11" in str(failure.get("message"))


def test_what_cannot_be_read_is_an_error(folder: Path) -> None:
    """An error is no failure, names page and line, and leaves the other examples alone."""
    (folder / "open.md").write_text("# T\n\n```c\nint x;\n")
    (folder / "noise.md").write_bytes(b"\xff\x00\xfe")
    status, said = run(folder, "--proof")
    assert status == 1
    assert "1 passed, 2 errors" in said
    assert "open.md:3: this fence has no end" in said
    assert "noise.md: cannot be read as UTF-8 text" in said


def test_one_example_can_be_chosen_and_processes_share_the_work(folder: Path) -> None:
    """The id of a heading names its example; pytest-xdist runs several at a time."""
    (folder / "two.md").write_text("# T\n\n## One\n\n```sh\n$ echo 1\n1\n```\n")
    assert "1 passed" in run(folder, "--proof", "two.md::one")[1]
    assert "2 passed" in run(folder, "--proof", "-n", "2")[1]


def test_a_conftest_gives_what_examples_need(folder: Path) -> None:
    """Fixtures beside the pages give variables and files."""
    (folder / "README.md").write_text(
        "# T\n\n```sh\n$ cat data.txt; echo $GREETING\n1\nhello\n```\n"
    )
    (folder / "conftest.py").write_text(
        dedent("""\
            import pytest

            @pytest.fixture
            def proof_environment():
                return {"GREETING": "hello"}

            @pytest.fixture
            def proof_files():
                return {"data.txt": "1\\n"}
            """)
    )
    status, said = run(folder, "--proof")
    assert status == 0, said


def test_a_folder_of_files_can_be_given(folder: Path) -> None:
    """An example starts from a copy of a folder, which stays as it is."""
    (folder / "start").mkdir()
    (folder / "start/data.txt").write_text("1\n")
    (folder / "README.md").write_text("# T\n\n```sh\n$ cat data.txt; rm data.txt\n1\n```\n")
    (folder / "conftest.py").write_text(
        dedent("""\
            import pathlib
            import pytest

            @pytest.fixture
            def proof_files():
                return pathlib.Path(__file__).parent / "start"
            """)
    )
    status, said = run(folder, "--proof")
    assert status == 0, said
    assert (folder / "start/data.txt").exists()


def test_a_kernel_that_is_not_there_is_an_error(folder: Path) -> None:
    """The message lists the kernels that there are."""
    status, said = run(folder, "--proof", "--proof-kernel", "9.9")
    assert status == 1
    assert "no kernel is called '9.9': name one of" in said
    assert "1 error" in said

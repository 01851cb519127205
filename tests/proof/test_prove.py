"""The engine's verdict: whatever a page says that is not so fails, with the place and a diff."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.proof.scratch import Scratch, console

BPF = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("syscall")
int answer(void *ctx)
{
    return 42;
}

char LICENSE[] SEC("license") = "GPL";
"""

LOADER = """\
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

int main(void)
{
    struct bpf_object *object = bpf_object__open_file("answer.bpf.o", NULL);
    LIBBPF_OPTS(bpf_test_run_opts, options);

    if (!object || bpf_object__load(object))
        return 1;
    struct bpf_program *program = bpf_object__find_program_by_name(object, "answer");
    bpf_prog_test_run_opts(bpf_program__fd(program), &options);
    printf("C says %u\\n", options.retval);
    return 0;
}
"""

PYTHON = """\
import subprocess

answer = subprocess.run(["./load"], capture_output=True, text=True, check=True)
print(answer.stdout.replace("C says", "The answer is"), end="")
"""

PAGE = """\
---
title: A page
---
# Page

## Example

=== "BPF C"

    ```c title="answer.bpf.c"
    --8<-- "examples/answer/answer.bpf.c"
    ```

=== "C"

    ```c title="load.c"
    --8<-- "examples/answer/load.c"
    ```

=== "Python"

    ```python title="load.py"
    import subprocess

    answer = subprocess.run(["./load"], capture_output=True, text=True, check=True)
    print(answer.stdout.replace("C says", "The answer is"), end="")
    ```

```console
$ clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c answer.bpf.c -o answer.bpf.o
$ cc -Wall load.c -o load -lbpf
$ sudo ./load
C says 42
$ sudo python3 load.py
The answer is 42
```
"""

C_LINE = PAGE.split("\n").index("C says 42") + 1
PYTHON_LINE = C_LINE + 2


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Make a site of its own for a test, with the sources that PAGE includes."""
    scratch = Scratch(tmp_path)
    scratch.write("examples/answer/answer.bpf.c", BPF)
    scratch.write("examples/answer/load.c", LOADER)
    return scratch


@pytest.mark.host
def test_a_true_page_passes(scratch: Scratch) -> None:
    """An example whose output is as shown passes, and is known to have run on the kernel."""
    proof = scratch.prove(PAGE)
    assert proof.failures == ()
    assert proof.on_kernel


def test_one_wrong_digit_fails(scratch: Scratch) -> None:
    """Shown output changed by one digit fails, naming page, line, command, with a diff."""
    failure = scratch.failure(PAGE.replace("says 42", "says 43"))
    assert failure.startswith(f"docs/index.md:{C_LINE}: the page shows another output")
    assert "in docs/index.md::example\n  $ sudo ./load\n" in failure
    assert "  --- shown\n  +++ printed\n  -C says 43\n  +C says 42" in failure


@pytest.mark.host
def test_broken_bpf_source_fails(scratch: Scratch) -> None:
    """BPF source that does something else fails at each output that shows it."""
    scratch.write("examples/answer/answer.bpf.c", BPF.replace("42", "41"))
    failure = scratch.failure(PAGE)
    assert f"docs/index.md:{C_LINE}: " in failure
    assert f"docs/index.md:{PYTHON_LINE}: " in failure
    assert "+C says 41" in failure


def test_broken_c_source_fails(scratch: Scratch) -> None:
    """C source that prints something else fails at the output."""
    scratch.write("examples/answer/load.c", LOADER.replace("options.retval", "1 + options.retval"))
    assert f"docs/index.md:{C_LINE}: " in scratch.failure(PAGE)


@pytest.mark.host
def test_broken_python_source_fails(scratch: Scratch) -> None:
    """Python source that prints something else fails at the output, and only there."""
    failure = scratch.failure(PAGE.replace('"The answer is"', '"An answer is"'))
    assert failure.startswith(f"docs/index.md:{PYTHON_LINE}: ")
    assert "-The answer is 42\n  +An answer is 42" in failure
    assert "sudo ./load" not in failure


def test_compile_error_names_the_included_file(scratch: Scratch) -> None:
    """A compiler's complaint is translated to the line of the file that the page includes."""
    scratch.write("examples/answer/answer.bpf.c", BPF.replace("return 42", "return fourtytwo"))
    failure = scratch.failure(PAGE)
    assert re.match(r"docs/index\.md:\d+: this command failed with status 1", failure)
    assert "answer.bpf.c:7:" in failure
    assert "answer.bpf.c:7 is examples/answer/answer.bpf.c:7" in failure


@pytest.mark.host
def test_traceback_names_the_line_of_the_page(scratch: Scratch) -> None:
    """A Python traceback is translated to the line of the Markdown."""
    failure = scratch.failure(PAGE.replace("text=True, check", "text=True, chek"))
    line = PAGE.split("\n").index("    import subprocess") + 3
    assert f"load.py:3 is docs/index.md:{line}" in failure


def test_verifier_rejection_can_be_shown(scratch: Scratch) -> None:
    """A program that the verifier refuses may be the example: its log line is shown, matched."""
    refused = BPF.replace("return 42", "return *(volatile int *)8")
    scratch.write("examples/answer/answer.bpf.c", refused)
    shown = PAGE.replace('python title="load.py"', "python {.illustration}")
    page = shown.partition("$ sudo ./load")[0] + (
        "$ sudo ./load\n...\n[..]invalid mem access 'scalar'\n...\n$ echo $?\n1\n```\n"
    )
    assert scratch.prove(page).failures == ()
    failure = scratch.failure(page.replace("'scalar'", "'map_value'"))
    assert "-[..]invalid mem access 'map_value'" in failure
    assert "answer.bpf.c:7 is examples/answer/answer.bpf.c:7" in failure


def test_wrong_output_of_an_included_console_names_that_file(scratch: Scratch) -> None:
    """Shown output that the page includes is blamed where it is written."""
    scratch.write("examples/session.txt", "$ echo 1\n1\n$ echo 2\n3\n")
    failure = scratch.failure('# Example\n\n```console\n--8<-- "examples/session.txt"\n```\n')
    assert failure.startswith("examples/session.txt:4: ")


def test_failing_command_fails_with_its_output(scratch: Scratch) -> None:
    """A command that fails is a failure with its status, position and output."""
    failure = scratch.failure(console("$ echo why; false", "why", "$ echo never"))
    assert failure.startswith("docs/index.md:6: this command failed with status 1")
    assert "\n  | why" in failure
    assert "never" not in failure


def test_failing_command_may_be_asked_for_its_status(scratch: Scratch) -> None:
    """A command may fail if the page then shows `echo $?`, whose output is compared."""
    assert not scratch.prove(console("$ false", "$ echo $?", "1")).failures
    failure = scratch.failure(console("$ false", "$ echo $?", "2"))
    assert failure.startswith("docs/index.md:8: ")


@pytest.mark.parametrize("command", ["exit", "exit 0"])
def test_exit_fails(scratch: Scratch, command: str) -> None:
    """A command that would close the reader's terminal is a failure, even as the last one."""
    failure = scratch.failure(console("$ true", f"$ {command}"))
    assert failure.startswith("docs/index.md:7: this command ended the shell")


def test_hang_fails(scratch: Scratch) -> None:
    """A command over the limit is a failure at the command."""
    failure = scratch.failure(console("$ true", "$ sleep 60"), limit=0.5)
    assert failure.startswith("docs/index.md:7: this command did not end within the 0.5 seconds")


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (r"a \n", r"+a\x20"),
        (r"a\r\n", r"+a\r"),
        (r"\033[31ma\033[0m\n", r"+\x1b[31ma\x1b[0m"),
        (r"a\377\n", r"+a\xff"),
    ],
)
def test_unseen_differences_are_shown(scratch: Scratch, printed: str, shown: str) -> None:
    """Output that differs only in what cannot be seen fails, and the diff shows it escaped."""
    assert shown in scratch.failure(console(f"$ printf '{printed}'", "a")).split("\n  ")


def test_a_message_about_long_output_is_short(scratch: Scratch) -> None:
    """Of a long difference, or a long output, the message holds both ends."""
    for command, page in (("seq 9999", "a"), ("seq 9999; false", "")):
        lines = scratch.failure(console(f"$ {command}", page)).split("\n")
        assert len(lines) < 140
        assert any(line.endswith(" lines more)") for line in lines)
        assert lines[-1][-4:] == "9999"


def test_missing_final_newline_passes(scratch: Scratch) -> None:
    """Output without a final newline is shown as a line, as there is no other way."""
    assert not scratch.prove(console("$ printf a", "a")).failures


def test_empty_lines_at_the_end_of_a_block_pass(scratch: Scratch) -> None:
    """Empty lines that a block's last command ends with pass unshown; those of another do not."""
    assert not scratch.prove(console(r"$ printf 'a\n\n\n'", "a", "")).failures
    assert not scratch.prove(console("$ echo")).failures
    failure = scratch.failure(console(r"$ printf 'a\n\n'", "a", "$ true"))
    assert failure.startswith("docs/index.md:7: ")


def test_unicode_passes(scratch: Scratch) -> None:
    """Commands, output and files may be in any script."""
    page = console("$ cat ü.txt; echo 日本 🐝", "größer <&>", "日本 🐝")
    assert not scratch.prove(page + '\n```text title="ü.txt"\ngrößer <&>\n```\n').failures


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_other_line_ends_pass(scratch: Scratch, newline: str) -> None:
    """A page with line ends of another system is the same page."""
    page = console("$ cat <<X", "> a", "> X", "a")
    assert not scratch.prove(page.replace("\n", newline)).failures


ALTERNATIVES = """\
## Example

=== "C"

    ```console
    $ sudo echo {}
    {}
    ```

=== "Python"

    ```console
    $ echo only here
    only here
    $ sudo echo {}
    {}
    ```
"""


def test_alternatives_that_differ_fail(scratch: Scratch) -> None:
    """What tabs do with sudo is compared; a difference names both places."""
    assert not scratch.prove(ALTERNATIVES.format(1, 1, 1, 1)).failures
    failure = scratch.failure(ALTERNATIVES.format(1, 1, 2, 2))
    assert failure.startswith("docs/index.md:15: the alternatives C and Python print different")
    assert "--- docs/index.md:6\n  +++ docs/index.md:15\n  -1\n  +2" in failure


@pytest.mark.parametrize("command", ["cd . && %s", "true | %s", "for i in 1; do %s; done", "(%s)"])
def test_sudo_within_a_command_is_compared(scratch: Scratch, command: str) -> None:
    """What a part of a command does with sudo counts as run on the kernel, and is compared."""
    page = ALTERNATIVES.replace("sudo echo {}", command % "sudo echo {}")
    proof = scratch.prove(page.format(1, 1, 1, 1))
    assert not proof.failures
    assert proof.on_kernel
    assert "print different things" in scratch.failure(page.format(1, 1, 2, 2))


def test_the_word_sudo_alone_runs_nothing(scratch: Scratch) -> None:
    """A command that only names sudo is no run on the kernel."""
    assert not scratch.prove(console("$ echo install sudo first", "install sudo first")).on_kernel


def test_alternatives_may_differ_where_the_page_says_so(scratch: Scratch) -> None:
    """The class `differs` on the blocks, or a wildcard on both sides, lets them differ."""
    page = ALTERNATIVES.format(1, 1, 2, 2)
    assert not scratch.prove(page.replace("```console", "```console {.differs}")).failures
    assert not scratch.prove(ALTERNATIVES.format("a 1", "a [..]", "a 2", "a [..]")).failures


def test_alternatives_with_unequal_commands_fail(scratch: Scratch) -> None:
    """A tab that runs fewer commands with sudo than its sibling is not silently compared."""
    failure = scratch.failure(
        ALTERNATIVES.replace("    $ sudo echo {}\n    {}\n", "    $ true\n", 1).format(1, 1)
    )
    assert "run 0 and 1 commands with sudo" in failure


def test_a_file_that_no_command_opens_fails(scratch: Scratch) -> None:
    """A file must be used by an alternative at least; a name in a command is no use."""
    page = ALTERNATIVES.replace("sudo echo {}\n    {}", "{}") + (
        '\n```c title="src/a.c"\nint a;\n```\n'
    )
    assert not scratch.prove(page.format("true", "cat src/a.c >/dev/null")).failures
    assert not scratch.prove(page.format("mv src s; cc -c s/a.c", "true")).failures
    failure = scratch.failure(page.format("ls src/a.c >/dev/null", "true"))
    assert failure.startswith(
        "docs/index.md:17: no command of the example opens the file 'src/a.c'"
    )


def test_each_alternative_has_a_directory_of_its_own(scratch: Scratch) -> None:
    """What one alternative leaves behind is not there for the other."""
    page = ALTERNATIVES.replace("sudo echo {}\n    {}", "ls\n    $ touch left")
    assert not scratch.prove(page).failures


@pytest.mark.host
def test_the_path_of_sudo_is_a_trap_here_too(scratch: Scratch) -> None:
    """A page that runs a virtual environment's module with plain sudo fails, as for a reader."""
    module = '```python title="a.py"\nimport markdown\n```\n'
    assert not scratch.prove(console("$ python3 a.py") + module).failures
    failure = scratch.failure(console("$ sudo python3 a.py") + module)
    assert "ModuleNotFoundError" in failure
    assert "a.py:1 is docs/index.md:9" in failure
    full = console('$ sudo "$(command -v python3)" a.py') + module
    assert not scratch.prove(full).failures


def test_a_job_that_fails_in_the_background_fails_the_example(scratch: Scratch) -> None:
    """What failed in the background is told with the command that ended after it."""
    (failure,) = scratch.prove(console("$ (exit 3) &", "$ sudo sleep 0.1")).failures
    assert "docs/index.md:" in failure
    assert "a command in the background had failed with status 3" in failure


def test_ctrl_c_is_typed_where_the_page_shows_it(scratch: Scratch) -> None:
    """`^C` interrupts a command once it has printed what stands above; it may say goodbye."""
    proof = scratch.prove(
        console(
            "$ trap 'echo never' TERM; python3 -c \"",
            "> import time",
            "> try:",
            ">     for n in range(1000):",
            ">         print('tick', n, flush=True)",
            ">         time.sleep(0.1)",
            "> except KeyboardInterrupt:",
            ">     print('bye')\"",
            "tick 0",
            "...",
            "tick 3",
            "...",
            "^C",
            "bye",
            "$ sleep 100",
            "^C",
            "$ echo $?",
            "130",
        )
    )
    assert not proof.failures


def test_an_interrupted_command_may_fail_by_the_interruption_only(scratch: Scratch) -> None:
    """Another status than that of Ctrl-C is a failure, as of any command."""
    command = "bash -c 'trap \"exit 3\" INT; while :; do sleep 0.1; done'"
    assert "status 3" in scratch.failure(console(f"$ {command}", "^C", "$ true"))

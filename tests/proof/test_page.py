"""The engine's reading of pages: every block is seen, placed and accounted for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from proof.errors import ProofError
from proof.example.session import Role
from proof.page.blocks import Block
from proof.page.site import Site
from tests.proof.scratch import Scratch, console


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Make a site of its own for a test."""
    return Scratch(tmp_path)


def placed(block: Block) -> list[tuple[str, str]]:
    """Return each line of the block with its place."""
    return [(str(block.origin(n)), line) for n, line in enumerate(block.lines)]


NESTED = """\
---
title: "Where blocks may stand"
description: two
---

# Title

!!! note "An admonition"
    ```text {.illustration}
    in a note
    ```

=== "Outer"

    === "Inner"

        ```text {.illustration}
        in nested tabs
        ```

1. A list

    ```text {.illustration}
    in a list
    ```

> ```text {.illustration}
> in a quote
> ```

````text {.illustration}
```c
in four backticks
```
````

~~~text {.illustration}
über 日本 🐝
~~~
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_blocks_are_placed_wherever_they_stand(scratch: Scratch, newline: str) -> None:
    """Blocks in notes, tabs, lists, quotes and longer fences have their true lines."""
    account = scratch.page(NESTED.replace("\n", newline))
    assert not account.problems
    lines = NESTED.split("\n")
    assert len(account.page.blocks) == NESTED.count("{.illustration}")
    for block in account.page.blocks:
        for n, line in enumerate(block.lines):
            origin = block.origin(n)
            assert origin is not None
            assert origin.path == "docs/index.md"
            assert lines[origin.line - 1].endswith(line)
    assert [t.label for t in account.page.blocks[1].tabs] == ["Outer", "Inner"]
    assert account.page.blocks[5].lines == ("über 日本 🐝",)


def test_included_lines_are_placed_in_the_included_file(scratch: Scratch) -> None:
    """A line that Snippets included, whole file, range or section, has its place there."""
    scratch.write(
        "examples/a.c", "int a;\n/* --8<-- [start:mid] */\nint b;\n/* --8<-- [end:mid] */\nint c;\n"
    )
    account = scratch.page("""\
        # T

        ```c {.illustration}
        int before;
        --8<-- "examples/a.c"
        int after;
        ```

        ```c {.illustration}
        --8<-- "examples/a.c:mid"
        ```

        ```c {.illustration}
        --8<-- "examples/a.c:5:5"
        ```

        === "Tab"

            ```c {.illustration}
            --8<--
            examples/a.c:1:1
            examples/a.c:5:5
            --8<--
            ```
        """)
    assert not account.problems
    whole, section, part, indented = map(placed, account.page.blocks)
    assert whole == [
        ("docs/index.md:4", "int before;"),
        ("examples/a.c:1", "int a;"),
        ("examples/a.c:3", "int b;"),
        ("examples/a.c:5", "int c;"),
        ("examples/a.c:6", ""),  # Snippets counts the file's last line ending as one
        ("docs/index.md:6", "int after;"),
    ]
    assert section == [("examples/a.c:3", "int b;")]
    assert part == [("examples/a.c:5", "int c;")]
    assert indented == [("examples/a.c:1", "int a;"), ("examples/a.c:5", "int c;")]


def test_byte_order_mark_of_an_included_file_is_no_text(scratch: Scratch) -> None:
    """A file that begins with a byte order mark is the same without it, as on the page."""
    scratch.write("examples/a.c", "\ufeffint a;\n")
    account = scratch.page('# T\n\n```c {.illustration}\n--8<-- "examples/a.c"\n```\n')
    assert not account.problems
    assert placed(account.page.blocks[0]) == [("examples/a.c:1", "int a;")]


def test_tabs_in_files_survive(scratch: Scratch) -> None:
    """A file keeps its tabs, which a Makefile cannot do without."""
    scratch.write("examples/Makefile", "all:\n\techo made\n")
    example = scratch.example("""\
        ## Example

        ```make title="Makefile"
        --8<-- "examples/Makefile"
        ```

        ```console
        $ make -s
        made
        ```
        """)
    assert example.sessions[0].files["Makefile"].text == "all:\n\techo made\n"


def test_missing_include_fails(scratch: Scratch) -> None:
    """A file that a page includes and that is not there fails the page."""
    with pytest.raises(ProofError, match=r"docs/index\.md: cannot be rendered: .*nothing\.c"):
        scratch.page('```c\n--8<-- "examples/nothing.c"\n```\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# T\n\n    int indented;\n", r"docs/index\.md:3: this block is not fenced"),
        ("# T\n\n<pre>\nraw\n</pre>\n", r"docs/index\.md:4: this block is not fenced"),
        ("# T\n\n<pre><code>a &lt;\n</code></pre>\n", r"docs/index\.md:3: this block is not fenc"),
        ("# T\n\n```c\nint a;\n```\n", r"docs/index\.md:3: nothing accounts for this c block"),
        ("# T\n\n```\nint a;\n```\n", r"docs/index\.md:3: nothing accounts for this text block"),
        ("# T\n\n```c title=a.c\nint a;\n```\n", r"docs/index\.md:3: this looks like a fence"),
        ("# T\n\n```c\nint a;\n", r"docs/index\.md:3: this looks like a fence"),
        ("# T\n\n- ```c\n  int a;\n  ```\n", r"docs/index\.md:3: this looks like a fence"),
        ("# T\n\n```klingon\nQapla'\n```\n", r"docs/index\.md:3: no highlighting knows.*klingon"),
        ('# T\n\n```c title="a.c"\nint a;\n```\n', r":3: the file 'a\.c' belongs to no example"),
        ("# T\n\n```console\nno prompt\n```\n", r":3: this console block holds no command"),
        ("# T\n\n```console\n# reboot\n```\n", r":3: the prompt `# ` takes the reader to be root"),
        ("# Example\n\n```c {.illustration}\nint a;\n```\n", r":3: the example .* has no commands"),
        ("# Example\n\n```console {.illustration}\n$ a\n```\n", r":3: commands of an example are"),
        (console("$ a") + "```console {.illustration}\n$ a\n```\n", r":8: commands of an example"),
        (console("$ echo a \\", "> b \\", "  c"), r":7: this line ends with a backslash"),
        (console("$ true", "$ echo \\"), r":7: this line ends with a backslash"),
        (console("$ true") + '```c title="a.c"\n```\n', r":8: this block is empty"),
        (console("$ seq 9", "..."), r":7: this output is nothing but wildcards"),
        (console("$ seq 2", "[..]", " [..][..]", "..."), r":7: this output is nothing but wild"),
        (console("$ sudo uname -r", "[..]"), r":7: this output is nothing but wildcards"),
        (console("$ false", "$ echo $?", "[..]"), r":8: this output is nothing but wildcards"),
        ("# T\n\n```console\nout\n$ true\n```\n", r":4: output without a command before it"),
        (console("$ true") + '```c title="/etc/x"\na\n```\n', r":8: the title '/etc/x' is no name"),
        (console("$ true") + '```c title="../x"\na\n```\n', r":8: the title '\.\./x' is no name"),
        (
            console("$ true") + '```c title="a"\n1\n```\n\n```c title="a"\n2\n```\n',
            r":12: a second, different file 'a', after the one at docs/index\.md:8",
        ),
        (
            '# T\n\n=== "A"\n\n    ## Example\n\n    ```console\n    $ true\n    ```\n',
            r"docs/index\.md: the example's heading 'Example' stands inside a tab",
        ),
        (
            '=== "A"\n\n    ```console\n    $ true\n    ```\n\ntext\n\n'
            '=== "B"\n\n    ```console\n    $ true\n    ```\n',
            r":3: the tabs that hold commands must carry the same labels .* here they are A and B",
        ),
    ],
)
def test_unaccounted_block_fails(scratch: Scratch, text: str, message: str) -> None:
    """A block that is nothing, or not what it must be, is a problem with a page and a line."""
    problems = scratch.problems(text)
    assert re.search(message, problems), problems


def test_fence_in_a_comment_fails(scratch: Scratch) -> None:
    """A fenced block that the rendered page does not show is an error, not forgotten."""
    with pytest.raises(ProofError, match=r"docs/index\.md:4: this fenced block is not on the"):
        scratch.page("# T\n\n<!--\n```c\nint a;\n```\n-->\n")


@pytest.mark.parametrize(
    ("language", "good", "bad", "line"),
    [
        ("python", "a = 1\n", "a = 1\nb = = 2\n", 5),
        ("py", "a = 1\n", "a = (\n", 4),
        ("c", "int f(void);\n", "int f(void);\nint g(void {\n", 5),
        ("bash", "if true; then :; fi\n", "true\nif true; then\n", 6),
        ("sh", "a=1\n", "a=(\n", 5),
        ("console", "$ true\n", "$ true\n$ if\n", 5),
        ("json", '{"a": 1}\n', '{"a": 1,\n}\n', 5),
        ("toml", "a = 1\n", "a = \n", 4),
        ("yaml", "a: [1, 2]\n", "b: 1\na: [1, 2\n", 6),
    ],
)
def test_illustration_must_parse(
    scratch: Scratch, language: str, good: str, bad: str, line: int
) -> None:
    """An illustration that does not parse fails, naming the line; one that does, passes."""
    fence = f"# T\n\n```{language} {{.illustration}}\n%s```\n"
    assert not scratch.page(fence % good).problems
    (problem,) = scratch.page(fence % bad).problems
    assert f"no valid {language}" in str(problem)
    assert problem.origin is not None
    assert abs(problem.origin.line - line) <= 1


BPF_C = """\
struct {
    __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
    __uint(max_entries, 256 * 1024);
    __type(key, struct foo);
} samples SEC(".maps");

LIBBPF_API void *user_ring_buffer__reserve(struct user_ring_buffer *rb, __u32 size);

SEC("tp/syscalls/sys_enter_getpid")
int BPF_PROG(drain, int first)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = f(&first, sizeof(first)));

    bpf_for(i, 0, 10) {
        count++;
    }
    return 0;
}
"""


def test_illustration_in_the_c_of_bpf_parses(scratch: Scratch) -> None:
    """The macros of libbpf, which no C parser knows by itself, are no error; others are found."""
    fence = f"# T\n\n```c {{.illustration}}\n{BPF_C}```\n"
    assert not scratch.page(fence).problems
    problems = scratch.problems(fence.replace("++", "+;"))
    assert re.search(r"md:18: this illustration.*identifier is missing", problems)


def test_line_numbers_and_highlights_are_no_text(scratch: Scratch) -> None:
    """A block with numbered or marked lines is one block with the text that was written."""
    account = scratch.page(
        '# T\n\n```c {.illustration title="a.c" linenums="1" hl_lines="2"}\nint a;\nint b;\n```\n'
    )
    assert not account.problems
    (block,) = account.page.blocks
    assert (block.title, block.text) == ("a.c", "int a;\nint b;\n")


def test_page_without_text(scratch: Scratch) -> None:
    """An empty page has no blocks and nothing wrong."""
    assert not scratch.page("").page.blocks


def test_illustration_in_an_unchecked_language_fails(scratch: Scratch) -> None:
    """A language that nothing here can parse is no way around the check."""
    problems = scratch.problems("# T\n\n```haskell {.illustration}\nmain = x\n```\n")
    assert "docs/index.md:3: an illustration in haskell cannot be checked" in problems


def test_titled_illustration_is_no_file(scratch: Scratch) -> None:
    """An illustration may carry a title without being written into the example's directory."""
    example = scratch.example(console("$ ls") + '```c {.illustration title="a.c"}\nint a;\n```\n')
    assert example.sessions[0].files == {}


def test_two_examples_on_a_page(scratch: Scratch) -> None:
    """Each "Example" heading makes an example of its whole subtree, also of equal headings."""
    part = (
        '### Files\n\n```text title="a"\n{}\n```\n\n'
        "### Commands\n\n```console\n$ cat a\n{}\n```\n\n"
    )
    page = "# T\n\n## Example\n\n" + part.format(1, 1) + "## Example\n\n" + part.format(2, 2)
    account = scratch.page(page)
    assert not account.problems
    assert [e.name for e in account.examples] == [
        "docs/index.md::example",
        "docs/index.md::example_1",
    ]
    assert [e.sessions[0].files["a"].text for e in account.examples] == ["1\n", "2\n"]


def test_section_without_the_word_example(scratch: Scratch) -> None:
    """Any other section that holds commands is an example up to the next heading."""
    account = scratch.page(
        "# T\n\n```console\n$ true\n```\n\n## Other\n\n```console\n$ true\n```\n"
    )
    assert [e.id for e in account.examples] == ["t", "other"]


def test_page_without_headings(scratch: Scratch) -> None:
    """Commands before any heading are an example as well."""
    account = scratch.page("```console\n$ true\n```\n")
    assert [e.id for e in account.examples] == ["top"]


def test_alternatives_make_sessions(scratch: Scratch) -> None:
    """Tabs with commands make a session a label; other tabs' files serve every session."""
    example = scratch.example("""\
        ## Example

        === "BPF C"

            ```c title="b.c"
            int b;
            ```

        === "C"

            ```c title="src/a.c"
            int a;
            ```

        text

        ```console
        $ echo before
        before
        ```

        === "C"

            ```console
            $ echo c
            c
            ```

        === "Python"

            ```python title="own.py"
            a = 1
            ```

            ```console
            $ echo py
            py
            ```
        """)
    c, python = example.sessions
    assert (c.label, python.label) == ("C", "Python")
    assert [command.text for command in c.commands] == ["echo before", "echo c"]
    assert [command.text for command in python.commands] == ["echo before", "echo py"]
    assert set(c.files) == {"b.c", "src/a.c"}
    assert set(python.files) == {"b.c", "src/a.c", "own.py"}


def test_continuation_lines(scratch: Scratch) -> None:
    """Lines at `> ` belong to the command above; the rest, up to the prompt, is its output."""
    example = scratch.example(
        console("$ cat <<X", "> a", ">", "> > b", "> X", "a", "", "> b", "$ true", "")
    )
    first, second = example.sessions[0].commands
    assert first.text == "cat <<X\na\n\n> b\nX"
    assert first.shown == ("a", "", "> b")
    assert (second.text, second.shown) == ("true", ())
    assert str(second.origin) == "docs/index.md:14"


def test_a_lone_wildcard_may_be_output(scratch: Scratch) -> None:
    """A line that varies as a whole, such as a date, may be shown as `[..]`."""
    assert not scratch.problems(console("$ uname -r", "[..]"))


def test_empty_lines_may_be_output(scratch: Scratch) -> None:
    """Output of nothing but empty lines is no wildcard."""
    assert not scratch.problems(console("$ printf '\\n\\n'", "", "", "$ true"))


def test_every_block_has_a_role(scratch: Scratch) -> None:
    """The account holds each block once, with what became of it."""
    account = scratch.page(
        console("$ true")
        + '```text title="f"\n1\n```\n\n```text {.illustration}\n1\n```\n\n```c\n```\n'
    )
    assert [r for _, r in account.roles] == [
        Role.CONSOLE,
        Role.FILE,
        Role.ILLUSTRATION,
        Role.UNACCOUNTED,
    ]


def test_every_page_of_the_site_is_listed(scratch: Scratch, tmp_path: Path) -> None:
    """Pages are those that MkDocs builds, whatever their suffix, behind links, from any path."""
    scratch.write("docs/index.md", "# T\n")
    scratch.write("docs/other.markdown", "# T\n")
    scratch.write("elsewhere/c.md", "# T\n")
    (scratch.root / "docs/link").symlink_to("../elsewhere")
    link = tmp_path / "site"
    link.symlink_to(scratch.root)
    for root in (scratch.root, link):
        assert Site(root / "mkdocs.yml").paths() == [
            "docs/index.md",
            "docs/link/c.md",
            "docs/other.markdown",
        ]


def test_readme_is_a_page(scratch: Scratch) -> None:
    """README.md is read like a page of the site."""
    account = scratch.page(console("$ true"), "README.md")
    assert [e.name for e in account.examples] == ["README.md::example"]


def test_what_is_appended_to_every_page_moves_no_position(tmp_path: Path) -> None:
    """Abbreviations that Snippets appends leave each block where it is written."""
    site = Scratch(tmp_path)
    site.write("includes/abbreviations.md", "*[BPF]: words\n*[BTF]: words\n")
    account = site.page(
        "# T\n\nBPF, BTF\n\n```text {.illustration}\nBPF\n```\n\n```c\nint x;\n```\n"
    )
    assert [str(block.start) for block in account.page.blocks] == [
        "docs/index.md:5",
        "docs/index.md:9",
    ]
    assert account.page.blocks[0].text == "BPF\n"


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("div hidden", "<div hidden>"),
        ('div style="color: red; DISPLAY : none"', "<div style='DISPLAY : none'>"),
        ('section style="visibility:hidden"', "<section style='visibility:hidden'>"),
    ],
)
def test_what_a_reader_does_not_see_is_refused(scratch: Scratch, tag: str, said: str) -> None:
    """Commands that a browser does not show would be typed by nobody: the page is an error."""
    name = tag.split(" ", maxsplit=1)[0]
    block = "```console\n$ sudo() { true; }\n```"
    text = f"# T\n\n<{tag} markdown>\n\n{block}\n\n</{name}>\n"
    with pytest.raises(ProofError, match=re.escape(said)) as caught:
        scratch.page(text)
    assert str(caught.value).startswith("docs/index.md:5: a reader does not see this block")
    assert not scratch.page(text.replace(f"<{tag} markdown>", f"<{name} markdown open>")).problems


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.symlink_to("/etc/hostname"), "leads out of the repository by a link"),
        (lambda path: path.mkdir(), "is no file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda path: os.mkfifo(path), "is no file"),
    ],
)
def test_an_included_file_that_cannot_be_is_named(
    scratch: Scratch, make: Callable[[Path], object], words: str
) -> None:
    """A link out of the repository, a folder, other bytes than text: told with page and line."""
    make(scratch.root / "examples/a.c")
    scratch.write("docs/index.md", '# Page\n\n```c\n--8<-- "examples/a.c"\n```\n')
    with pytest.raises(ProofError, match=rf"docs/index\.md:4: the included file .* {words}"):
        scratch.site().page("docs/index.md")


def test_hooks_take_part(scratch: Scratch) -> None:
    """A hook that changes lines and makes links of code does so before a file is written."""
    scratch.write(
        "hook.py",
        """
        import re

        def on_page_markdown(markdown, **_):
            return "An inserted line.\\n\\n" + markdown

        def on_page_content(html, **_):
            html = re.sub(r"\\[(\\w+)\\]\\(x\\.md\\)", r'<a href="x/">\\1</a>', html)
            return re.sub(r"(<h2)", r"<section>\\1", html) + "</section>"
        """,
    )
    with (scratch.root / "mkdocs.yml").open("a") as file:
        file.write("hooks: [hook.py]\n")
    account = scratch.page(
        '# T\n\n## Example\n\n```text title="a"\nsee [f](x.md)\n```\n\n'
        "```console\n$ cat a\nsee f\n```\n"
    )
    assert not account.problems
    (example,) = account.examples
    session = example.sessions[0]
    assert session.files["a"].text == "see f\n"
    assert str(session.files["a"].origin(0)) == "docs/index.md:6"
    assert str(session.commands[0].origin) == "docs/index.md:10"


def test_a_site_need_not_name_languages_in_its_html(scratch: Scratch) -> None:
    """Blocks have their languages without pygments_lang_class."""
    config = scratch.root / "mkdocs.yml"
    config.write_text(config.read_text().replace("pygments_lang_class: true", "use_pygments: true"))
    assert not scratch.problems(console("$ true"))

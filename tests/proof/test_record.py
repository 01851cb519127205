"""The engine's records, and the badges that the site makes of them."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from proof.__main__ import main
from proof.record.record import Run
from proof.record.shelf import astray
from tests.proof.scratch import ROOT, Scratch, chosen, console

PAGE = """\
# Page

Text.

## Example

```text title="a.txt"
one
```

```console
$ sudo cat a.txt
one
```

### Part of the example

More.

## After

Text[^1].

[^1]: A note.
"""

RECORD = "records/index/example.json"
OLD = "6.1.0-9-amd64"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Make a site of its own for a test, which works in its root as a user does."""
    monkeypatch.chdir(tmp_path)
    return Scratch(tmp_path)


def state(root: Path) -> dict[Path, bytes]:
    """Read every file of the site that is kept."""
    return {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and "site" not in p.parts}


def record(*arguments: str) -> None:
    """Record examples, which must succeed."""
    assert main(["record", *arguments]) == 0


def load(scratch: Scratch) -> dict[str, Any]:
    """Read the record of the one example."""
    data: dict[str, Any] = json.loads((scratch.root / RECORD).read_text(encoding="utf-8"))
    return data


def changed(data: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Return the first run of a record with other values, sealed as if it had been so."""
    run: dict[str, Any] = {**data["runs"][0], **changes}
    return asdict(Run(**run).sealed(data["hash"]))


def on_old(data: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Return the first run of a record as it would be on an older kernel."""
    place = {**data["runs"][0]["place"], "kernel": OLD}
    return changed(data, column="6.1", place=place, **changes)


def build(scratch: Scratch) -> str:
    """Build the site, which must succeed, and return the home page."""
    mkdocs_build(load_config(str(scratch.root / "mkdocs.yml")))
    return (scratch.root / "site/index.html").read_text(encoding="utf-8")


class Log(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.lines.append(record.getMessage())


def refusal(scratch: Scratch) -> str:
    """Build the site, which must fail, and return what MkDocs logs."""
    log, logger = Log(), logging.getLogger("mkdocs")
    logger.addHandler(log)
    try:
        with pytest.raises(Abort):
            build(scratch)
    finally:
        logger.removeHandler(log)
    return "\n".join(log.lines)


def test_the_commands_a_user_types(scratch: Scratch) -> None:
    """MkDocs refuses a page without a record in a line that says what to type; typed, it builds."""
    scratch.write("docs/index.md", PAGE)
    refused = scratch.python("mkdocs", "build", "--strict")
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert "Error reading page 'index.md'" in refused.stderr
    assert "run `make record`" in refused.stderr
    recorded = scratch.python("proof", "record")
    assert recorded.returncode == 0
    assert "docs/index.md::example: recorded on Linux" in recorded.stdout
    built = scratch.python("mkdocs", "build", "--strict")
    assert built.returncode == 0, built.stderr
    assert 'class="proof"' in (scratch.root / "site/index.html").read_text(encoding="utf-8")


def test_a_record_says_what_ran_where(scratch: Scratch) -> None:
    """A record has a hash, and of each run the kernel, the versions, the day and the output."""
    scratch.write("docs/index.md", PAGE)
    record()
    data = load(scratch)
    assert (data["page"], data["example"]) == ("docs/index.md", "example")
    assert re.fullmatch(r"[0-9a-f]{64}", data["hash"])
    (run,) = data["runs"]
    assert run["place"]["kernel"] == chosen().facts()["kernel"]
    assert re.fullmatch(r"\d+\.\d+", run["place"]["libbpf"])
    assert re.match(r"\w+ \d+\.\d+", run["tools"]["cc"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", run["date"])
    assert run["outputs"] == {"": ["one\n"]}


def test_a_record_names_no_path_of_this_machine(scratch: Scratch) -> None:
    """What a wildcard matched is recorded without where the session, Python and the site were."""
    python = f"{sys.executable} -c 'import sys; print(sys.prefix)'"
    scratch.write(
        "docs/index.md",
        console(
            "$ echo in $PWD", "in [..]", f"$ echo by $({python}) for {scratch.root}", "by [..]"
        ),
    )
    assert main(["record"]) == 0
    (run,) = json.loads((scratch.root / RECORD).read_text())["runs"]
    assert run["outputs"] == {"": ["in [example]\n", "by [python] for [here]\n"]}


def test_recording_again_replaces_the_run(scratch: Scratch) -> None:
    """A run on the same kernel series and libbpf takes the older one's place; others stay."""
    scratch.write("docs/index.md", PAGE)
    record()
    data = load(scratch)
    data["runs"] = [changed(data, date="2020-01-01"), on_old(data)]
    (scratch.root / RECORD).write_text(json.dumps(data))
    record()
    runs = load(scratch)["runs"]
    assert len(runs) == 2
    assert runs[0]["place"]["kernel"] == OLD
    assert runs[1]["date"] != "2020-01-01"


def test_a_changed_example_drops_its_runs(scratch: Scratch) -> None:
    """Runs of another text of the example do not count for this one."""
    scratch.write("docs/index.md", PAGE)
    record()
    data = load(scratch)
    data["runs"].append(on_old(data))
    (scratch.root / RECORD).write_text(json.dumps(data))
    scratch.write("docs/index.md", PAGE.replace("one", "two"))
    record()
    assert len(load(scratch)["runs"]) == 1
    assert load(scratch)["hash"] != data["hash"]


def test_a_wrong_page_is_not_recorded_and_not_changed(
    scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the flag, recording a page whose output is wrong fails and writes nothing."""
    scratch.write("docs/index.md", PAGE.replace("cat a.txt\none", "cat a.txt\n1"))
    before = state(scratch.root)
    assert main(["record"]) == 1
    assert "docs/index.md:13: the page shows another output" in capsys.readouterr().err
    assert state(scratch.root) == before


def test_a_proof_changes_nothing(scratch: Scratch) -> None:
    """Repeating an example, right or wrong, leaves page and records as they are."""
    scratch.write("docs/index.md", PAGE)
    record()
    for page in (PAGE, PAGE.replace("$ sudo cat a.txt\none", "$ sudo cat a.txt\ntwo")):
        scratch.write("docs/index.md", page)
        before = state(scratch.root)
        scratch.prove(page)
        assert state(scratch.root) == before


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_update_rewrites_the_shown_output(scratch: Scratch, newline: str) -> None:
    """With the flag, the page shows what was printed; wildcards that match stay; no more."""
    page = """\
# Example

=== "A"

    ```console
    $ seq 3
    1
    5
    ...
    $ printf 'a\\n\\nb 7\\n'
    b [..]
    $ echo none shown
    ```
"""
    file = scratch.write("docs/index.md", page.replace("\n", newline))
    record("--update-output")
    block = file.read_bytes().decode().split(newline)[4:]
    assert [line.removeprefix("    ") for line in block] == [
        *("```console", "$ seq 3", "1", "2", "..."),
        *("$ printf 'a\\n\\nb 7\\n'", "a", "", "b [..]"),
        *("$ echo none shown", "none shown", "```", ""),
    ]
    assert file.read_bytes().count(b"\r") == (
        file.read_bytes().count(b"\n") if newline != "\n" else 0
    )


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (r"\033[31mred", r"`\x1b[31mred`, which a page cannot show"),
        (r"\377", r"`\xff`, which a page cannot show"),
        ("a\\n$ b", "`$ b`, which on a page would be no output"),
        ("> a", "`> a`, which on a page would be no output"),
        ("```", "```, which on a page would be no output"),
    ],
)
def test_update_refuses_what_a_page_cannot_show(
    scratch: Scratch, capsys: pytest.CaptureFixture[str], printed: str, shown: str
) -> None:
    """Output that would be something else on a page is not written into it."""
    scratch.write("docs/index.md", console(f"$ printf '{printed}\\n'"))
    before = state(scratch.root)
    assert main(["record", "--update-output"]) == 1
    error = capsys.readouterr().err
    assert "docs/index.md:6: this command printed" in error
    assert shown in error
    assert state(scratch.root) == before


def test_update_writes_backslashes_and_tabs(scratch: Scratch) -> None:
    """A backslash is text, and so is a tab."""
    file = scratch.write("docs/index.md", console(r"$ printf '\\t\tx\n'"))
    record("--update-output")
    assert "\n\\t\tx\n" in file.read_text()


def test_records_of_examples_that_are_gone_are_removed(scratch: Scratch) -> None:
    """Recording all pages removes the record of an example that no page has."""
    scratch.write("docs/index.md", PAGE)
    scratch.write("docs/sub/gone.md", PAGE)
    record()
    assert (scratch.root / "records/sub/gone/example.json").exists()
    (scratch.root / "docs/sub/gone.md").unlink()
    record()
    assert not (scratch.root / "records/sub").exists()
    assert (scratch.root / RECORD).exists()


def test_recording_nothing_fails(scratch: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Recording where no example is fails, and removes no record."""
    scratch.write("docs/index.md", PAGE)
    scratch.write("docs/other.md", "# T\n")
    record()
    assert main(["record", "docs/other.md"]) == 1
    assert "no example is on docs/other.md" in capsys.readouterr().err
    (scratch.root / "docs/index.md").unlink()
    assert main(["record"]) == 1
    assert (scratch.root / RECORD).exists()


def test_one_page_can_be_recorded(scratch: Scratch) -> None:
    """Recording one page leaves the records of the others alone."""
    scratch.write("docs/index.md", PAGE)
    scratch.write("docs/other.md", PAGE)
    record()
    (scratch.root / RECORD).unlink()
    record("docs/other.md")
    assert not (scratch.root / RECORD).exists()
    assert (scratch.root / "records/other/example.json").exists()


def test_the_badge_stands_at_the_end_of_the_section(scratch: Scratch) -> None:
    """The built page has a badge, with the kernels and a table, where the example ends."""
    scratch.write("docs/index.md", PAGE)
    record()
    html = build(scratch)
    soup = BeautifulSoup(html, "html.parser")
    (badge,) = soup.select("details.proof")
    series = ".".join(chosen().facts()["kernel"].split(".")[:2])
    assert badge.summary is not None
    assert badge.summary.get_text() == f"Ran on Linux {series}"
    assert not badge.select("pre, code")
    following = badge.find_next_sibling()
    assert following is not None
    assert following.get("id") == "after"
    before = badge.find_previous_sibling()
    assert before is not None
    assert before.get_text() == "More."


def test_the_badge_of_the_last_section_stands_before_the_notes(scratch: Scratch) -> None:
    """A badge at the page's end does not fall behind what belongs to the whole page."""
    settings = scratch.root / "mkdocs.yml"
    settings.write_text(
        settings.read_text().replace("  - admonition\n", "  - admonition\n  - footnotes\n")
    )
    scratch.write("docs/index.md", "# T\n\nText[^1].\n\n[^1]: A note.\n\n" + console("$ true"))
    record()
    html = build(scratch)
    assert 0 < html.index('class="proof"') < html.index('class="footnote"')


def test_each_example_has_its_badge(scratch: Scratch) -> None:
    """Two examples of a page, and one before any heading, each have a badge of their own."""
    scratch.write(
        "docs/index.md",
        "```console\n$ true\n```\n\n# Example\n\n```console\n$ true\n$ true\n```\n\n"
        "# Example\n\n```console\n$ true\n$ true\n$ true\n```\n",
    )
    record()
    html = build(scratch)
    order = re.findall(r'<pre>|details class="proof"|<h1', html[html.index("<article") :])
    assert order == [
        "<pre>",
        'details class="proof"',
        "<h1",
        "<pre>",
        'details class="proof"',
        "<h1",
        "<pre>",
        'details class="proof"',
    ]


def test_a_missing_record_fails_the_build(scratch: Scratch) -> None:
    """An example that was never recorded, or whose record is gone, fails the build."""
    scratch.write("docs/index.md", PAGE)
    message = refusal(scratch)
    assert "the example 'example' ('Example') has not been run as it stands" in message
    assert "make record" in message
    record()
    build(scratch)
    (scratch.root / RECORD).unlink()
    assert "make record" in refusal(scratch)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one\n```\n\n```console", "uno\n```\n\n```console"),
        ("cat a", "cat ./a"),
        ("one\n```\n\n##", "1\n```\n\n##"),
    ],
    ids=["file", "command", "output"],
)
def test_a_stale_record_fails_the_build(scratch: Scratch, old: str, new: str) -> None:
    """An example whose file, command or output changed since it was recorded fails the build."""
    scratch.write("docs/index.md", PAGE)
    record()
    assert old in PAGE
    scratch.write("docs/index.md", PAGE.replace(old, new))
    assert "has not been run as it stands" in refusal(scratch)


def test_text_around_an_example_may_change(scratch: Scratch) -> None:
    """Prose, and where the example stands, are no part of what was recorded."""
    scratch.write("docs/index.md", PAGE)
    record()
    scratch.write(
        "docs/index.md", PAGE.replace("More.", "Less.").replace("Text.", "Words.\n\nMore.")
    )
    build(scratch)


def test_a_broken_record_is_named(scratch: Scratch) -> None:
    """A file that is no record fails the build by its name."""
    scratch.write("docs/index.md", PAGE)
    record()
    (scratch.root / RECORD).write_text("{}")
    assert f"{RECORD}: is no record" in refusal(scratch)


@pytest.mark.parametrize(
    "fault",
    [
        {"place": {"kernel": 6, "arch": "a"}},
        {"place": {}},
        {"date": None},
        {"outputs": None},
        {"outputs": {"": 1}},
        {},
    ],
)
def test_a_record_of_something_else_is_named(scratch: Scratch, fault: dict[str, Any]) -> None:
    """A record with a number for a text, no outputs, or the same run twice is no record."""
    scratch.write("docs/index.md", PAGE)
    record()
    data = load(scratch)
    data["runs"].append({**data["runs"][0], **fault})
    (scratch.root / RECORD).write_text(json.dumps(data))
    assert f"{RECORD}: is no record" in refusal(scratch)


@pytest.mark.parametrize(
    "outputs", [{"": ["two\n"]}, {"": []}, {"": ["one\n"] * 2}, {}, {"C": ["one\n"]}]
)
def test_an_edited_record_fails_the_build(scratch: Scratch, outputs: dict[str, list[str]]) -> None:
    """A record whose output is not what its example shows fails the build."""
    scratch.write("docs/index.md", PAGE)
    record()
    data = load(scratch)
    data["runs"].append(on_old(data, outputs=outputs))
    (scratch.root / RECORD).write_text(json.dumps(data))
    assert "holds, for Linux 6.1.0-9-amd64, another output" in refusal(scratch)


@pytest.mark.parametrize(
    "edit",
    [{"date": "2030-01-01"}, {"result": "refused"}, {"place": {"kernel": "9.99", "arch": "a"}}],
)
def test_a_run_that_was_edited_by_hand_is_named(scratch: Scratch, edit: dict[str, Any]) -> None:
    """A run whose kernel, day or result is not what was recorded fails the build."""
    scratch.write("docs/index.md", PAGE)
    record()
    data = load(scratch)
    data["runs"][0] |= edit
    (scratch.root / RECORD).write_text(json.dumps(data))
    assert "was edited" in refusal(scratch)


def test_whatever_was_recorded_is_read_as_shown(scratch: Scratch) -> None:
    """The site builds with a record of wildcards, no output, empty lines, and broken text."""
    commands = (r"$ printf 'a\377\n\n'", "a[..]", "", "$ true", "$ seq 3", "1", "...", "$ echo", "")
    scratch.write("docs/index.md", console(*commands))
    record()
    build(scratch)


def test_a_truncated_record_is_replaced(scratch: Scratch) -> None:
    """Half a record, as a full disk may leave one, is no obstacle to the next record."""
    scratch.write("docs/index.md", PAGE)
    record()
    whole = (scratch.root / RECORD).read_text()
    (scratch.root / RECORD).write_text(whole[: len(whole) // 2])
    record()
    assert (scratch.root / RECORD).read_text() == whole


@pytest.mark.parametrize("name", ["../../esc", "a/b", "x" * 300])
def test_an_id_that_names_no_file_is_refused(
    scratch: Scratch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A heading's id that would leave the records, or is too long, is an error with its line."""
    scratch.write("docs/index.md", PAGE.replace("## Example", f"## Example {{ #{name} }}"))
    assert main(["record"]) == 1
    assert "docs/index.md:7: the id" in capsys.readouterr().err
    assert not list(scratch.root.rglob("*.json"))
    assert not (scratch.root.parent / "esc.json").exists()


def test_a_record_of_no_example_is_named(scratch: Scratch) -> None:
    """A record that no example has, or that stands in another's place, is astray."""
    examples, site = scratch.page(PAGE).examples, scratch.site()
    record()
    assert not list(astray(examples, site))
    (problem,) = astray([], site)
    assert str(problem).startswith(f"{RECORD}: this record is of docs/index.md::example, which no")
    (scratch.root / RECORD).rename(site.records / "index/other.json")
    missing, problem = astray(examples, site)
    assert "docs/index.md::example has no record" in str(missing)
    assert str(problem).startswith("records/index/other.json: this record is of docs/index.md::ex")


def test_an_example_beside_the_site_needs_its_record(scratch: Scratch) -> None:
    """README.md's example, which no build asks for, is named without a record of its text."""
    site = scratch.site()
    account = scratch.page(PAGE, "README.md")
    (problem,) = astray(account.examples, site)
    assert "README.md::example has no record of how it stands on the page" in str(problem)
    record("README.md")
    assert not list(astray(account.examples, site))
    (problem,) = astray(scratch.page(PAGE.replace("one", "1"), "README.md").examples, site)
    assert "belongs into records/README/example.json: run `make record`" in str(problem)


def test_the_built_page_gives_what_the_page_shows(scratch: Scratch) -> None:
    """Files and commands taken from the built HTML alone are those that the engine ran."""
    scratch.write("docs/index.md", PAGE)
    record()
    soup = BeautifulSoup(build(scratch), "html.parser")
    assert [pre.get_text() for pre in soup.select("article pre")] == [
        "one\n",
        "$ sudo cat a.txt\none\n",
    ]


def test_the_real_site_shares_the_settings() -> None:
    """The settings that these tests build with are those of the real site, but for its pages."""
    assert "\nnav:\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["proof", "otherkernel"])
def test_a_working_directory_that_was_removed_is_told(tmp_path: Path, package: str) -> None:
    """Neither command line ends in a traceback where there is no directory to work in."""
    gone = tmp_path / "gone"
    gone.mkdir()
    words = {"proof": "record", "otherkernel": "run --kernel 6.12 -- true"}[package]
    script = f'cd "$1"; rmdir "$1"; PYTHONPATH=$2 exec "$3" -m {package} {words}'
    command = ["sh", "-c", script, "sh", str(gone), str(ROOT), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    (line,) = done.stderr.splitlines()
    assert "the working directory was removed; go to another one" in line

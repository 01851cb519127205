"""Output that holds in some places only: on some kernels, or with some versions of libbpf."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.errors import ProofError
from proof.example.place import Place, condition
from proof.record.coverage import Fate, cover
from proof.record.digest import digest
from proof.record.matrix import FAILED, REFUSED, judge
from proof.record.record import is_shown, read, write
from proof.run.prove import prove
from proof.site.badge import _row
from tests.proof.scratch import Scratch, chosen, console

REFUSALS = (r"Linux 6\.1", "Invalid argument")


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A site of the test's own."""
    return Scratch(tmp_path)


def place(kernel: str = "6.12.1", libbpf: str = "1.1") -> Place:
    """A place, of two versions."""
    return Place({"kernel": kernel, "arch": "x86_64", "libbpf": libbpf})


def here() -> Place:
    """The place that this run is for."""
    return Place(chosen().facts())


def elsewhere(title: str, *lines: str) -> str:
    """Write a block for some places only, to stand below another."""
    return "\n".join([f'```console title="{title}"', *lines, "```", ""])


@pytest.mark.parametrize(
    ("title", "kernel", "libbpf", "holds"),
    [
        ("On Linux 6.1", "6.1.0-50-cloud-amd64", "1.1", True),
        ("On Linux 6.1", "6.10.3", "1.1", False),
        ("On Linux before 6.1", "5.10.0-32-cloud-amd64", "1.1", True),
        ("On Linux before 6.1", "6.0.19", "1.1", True),
        ("On Linux before 6.0", "5.19.1", "1.1", True),
        ("On Linux before 6.1", "6.1.0", "1.1", False),
        ("On Linux 6.8 to 6.12", "6.12.107+deb13-cloud-amd64", "1.1", True),
        ("On Linux 6.8 to 6.12", "6.13.1", "1.1", False),
        ("On Linux 5.15, 7.0 or newer", "7.3-cloud-amd64", "1.1", True),
        ("On Linux 5.15, 7.0 or newer", "6.18.1", "1.1", False),
        ("On libbpf 1.7 or newer", "6.1.0", "1.10", True),
        ("On libbpf 1.7 or newer", "6.1.0", "1.5", False),
    ],
)
def test_a_title_names_places(title: str, kernel: str, libbpf: str, holds: bool) -> None:
    """A range is of series: 6.10 is after 6.8, and what follows the second number is nothing."""
    where = condition(title)
    assert where is not None
    assert where.holds(place(kernel, libbpf)) is holds


@pytest.mark.parametrize("title", [None, "", "drain.bpf.c", "On a laptop", "Linux 6.1"])
def test_other_titles_name_none(title: str | None) -> None:
    """A title that does not begin with `On Linux` or `On libbpf` is just a title."""
    assert condition(title) is None


@pytest.mark.parametrize(
    "title",
    ["On Linux", "On Linux 6", "On Linux six", "On Linux before 6.1 or newer", "On libbpf 1.1,"],
)
def test_a_place_that_is_none_is_an_error(scratch: Scratch, title: str) -> None:
    """What begins like a place and is none is an error that shows how to write one."""
    page = console("$ echo a", "a") + elsewhere(title, "$ echo a", "b")
    assert "does not say where this output holds; write `On Linux 6.1`" in scratch.problems(page)
    with pytest.raises(ProofError):
        condition(title)


def test_commands_are_as_the_place_has_them(scratch: Scratch) -> None:
    """A block for some places stands there, and only there, for the commands that it repeats."""
    example = scratch.example(
        console("$ echo a", "a", "$ echo b", "b", "$ echo c", "c")
        + elsewhere("On Linux before 6.1", "$ echo b", "old", "$ echo $?", "1")
        + elsewhere("On libbpf 1.7 or newer", "$ echo b", "new", "$ echo c", "C")
    )
    (session,) = example.sessions
    shown = {
        name: [(c.text, *c.shown) for c in session.commands_on(there)]
        for name, there in {
            "usual": place(),
            "old": place("5.10.0"),
            "new": place(libbpf="1.7"),
            "both": place("5.10.0", "1.7"),
        }.items()
    }
    a, c = ("echo a", "a"), ("echo c", "c")
    assert shown["usual"] == [a, ("echo b", "b"), c]
    assert shown["old"] == shown["both"] == [a, ("echo b", "old"), ("echo $?", "1"), c]
    assert shown["new"] == [a, ("echo b", "new"), ("echo c", "C")]


def test_it_repeats_the_last_of_several(scratch: Scratch) -> None:
    """Where a command stands twice, the one that is nearest is meant; a question may fall away."""
    example = scratch.example(
        console("$ false", "$ echo $?", "1", "$ false", "$ echo $?", "1", "$ true")
        + elsewhere("On Linux 6.1", "$ false", "$ true")
    )
    (session,) = example.sessions
    texts = [command.text for command in session.commands_on(place("6.1.0"))]
    assert texts == ["false", "echo $?", "false", "true"]


def test_what_repeats_nothing_is_an_error(scratch: Scratch) -> None:
    """Commands that stand nowhere above, or a second block for the same place, are errors."""
    page = console("$ echo a", "a", "$ echo b", "b")
    other = elsewhere("On Linux 6.1", "$ echo b", "b", "$ echo a", "a")
    assert "the commands are none of the blocks above it" in scratch.problems(page + other)
    asks = elsewhere("On Linux 6.1", "$ echo $?", "0")
    assert "the commands are none of the blocks above it" in scratch.problems(page + asks)
    twice = elsewhere("On Linux 6.1", "$ echo b", "c") * 2
    assert "already says what these commands print there" in scratch.problems(page + twice)


def test_it_is_proved_where_it_holds(scratch: Scratch) -> None:
    """On its kernel the other output must be printed, with a diff at its own line if it is not."""
    series = ".".join(map(str, here().version("Linux")))
    page = console("$ echo b", "a") + elsewhere(f"On Linux {series}", "$ echo b", "b")
    assert not scratch.prove(page).failures
    wrong = console("$ echo b", "b") + elsewhere(f"On Linux {series}", "$ echo b", "a")
    assert "docs/index.md:11: the page shows another output" in scratch.failure(wrong)
    assert not scratch.prove(wrong.replace(f"On Linux {series}", "On Linux 2.6")).failures


def test_a_record_knows_what_its_place_shows(scratch: Scratch) -> None:
    """A record is held against the output for its kernel, and goes stale when that changes."""
    series = ".".join(map(str, here().version("Linux")))
    page = console("$ echo b", "a") + elsewhere(f"On Linux {series}", "$ echo b", "b")
    proof = scratch.prove(page)
    path = write(proof, scratch.site())
    (run,) = read(path).runs
    assert is_shown(run, proof.example)
    edited = scratch.example(page.replace("\nb\n", "\nc\n"))
    assert not is_shown(run, edited)
    assert digest(edited) != digest(proof.example)


def test_coverage_asks_for_such_a_place(scratch: Scratch) -> None:
    """A block for a place that no record is of is not accounted for."""
    text = console("$ echo b", "b") + elsewhere("On Linux 2.6", "$ echo b", "a")
    write(scratch.prove(text), scratch.site())
    coverage = cover(scratch.site())
    assert [line.fate for line in coverage.lines] == [Fate.RAN, Fate.NONE]
    assert "run `make matrix RECORD=1`" in coverage.lines[1].why
    assert not coverage.whole


def test_coverage_asks_what_was_compared(scratch: Scratch) -> None:
    """A block that another one stood for in every run was compared with nothing."""
    series = ".".join(map(str, here().version("Linux")))
    there = f"On Linux {series} or newer"
    text = console("$ echo b", "wrong") + elsewhere(there, "$ echo b", "b")
    text += elsewhere(f"On libbpf {here().facts['libbpf']}", "$ echo b", "wrong, too")
    write(scratch.prove(text), scratch.site())
    coverage = cover(scratch.site())
    assert [line.fate for line in coverage.lines] == [Fate.NONE, Fate.RAN, Fate.NONE]


def test_a_wrong_block_for_a_place_is_no_refusal(scratch: Scratch) -> None:
    """Where the page says how a kernel refuses, other words fail, clear as they may be."""
    text = console("$ sudo sh -c 'echo x: Invalid argument; exit 1'", "right")
    series = ".".join(map(str, here().version("Linux")))
    words = text.splitlines()[5]
    text += elsewhere(f"On Linux {series}", words, "nonsense", "$ echo $?", "1")
    proof = prove(scratch.example(text), chosen())
    assert judge(proof, "too old", REFUSALS).verdict == FAILED


def test_a_refusal_is_recorded_by_its_words(scratch: Scratch) -> None:
    """Where a kernel must refuse, only the line that says so is kept; without one, it failed."""
    said = "echo traceback; echo x: Invalid argument; echo needs Linux 6.1; echo end; exit 1"
    example = scratch.example(console(f"$ sudo sh -c '{said}'", "right"))
    result = judge(prove(example, chosen()), "too old", REFUSALS)
    assert (result.verdict, result.said) == (REFUSED, {"": "needs Linux 6.1"})
    assert result.proof is not None
    (run,) = read(write(result.proof, scratch.site(), REFUSED, result.said)).runs
    assert run.outputs == {"": ["needs Linux 6.1"]}
    assert "<samp>needs Linux 6.1</samp>" in _row(run, [], {})
    silent = scratch.example(console("$ sudo sh -c 'exit 1'", "right"))
    assert judge(prove(silent, chosen()), "too old", REFUSALS).verdict == FAILED

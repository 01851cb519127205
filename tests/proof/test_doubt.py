"""What the engine says of records that are forged, stale, or not to be repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config

from proof.__main__ import main
from proof.errors import ProofError
from proof.kernel.other import OtherKernel
from proof.record import tested
from proof.record.agreement import disagreements
from proof.record.matrix import Setting
from proof.record.record import Record, Run, write
from proof.run.prove import prove
from tests.proof.scratch import Scratch, chosen, console

COLUMNS = [
    Setting("host"),
    Setting("6.1"),
    Setting("6.12"),
    Setting("newest"),
    Setting("6.12", "libbpf 1.5"),
]
PAGE = console("$ sudo echo gadget", "gadget")


def run(column: str, kernel: str, libbpf: str = "1.1") -> Run:
    """Make up a run."""
    place = {"kernel": kernel, "arch": "x86_64", "libbpf": libbpf}
    return Run(column, place, {}, {}, "2026-01-01", {"": ["x"]}).sealed("hash")


def doubts(*runs: Run) -> list[str]:
    """Return what is said of an example's runs, beside those of three honest ones."""
    honest = [run("host", "6.18.1"), run("6.1", "6.1.0-9"), run("newest", "7.0.0")]
    records = [
        *(Record(f"{name}.md", "example", "hash", tuple(honest)) for name in "abc"),
        Record("page.md", "example", "hash", runs),
    ]
    return [str(each) for each in disagreements(records, COLUMNS)]


def test_honest_runs_agree() -> None:
    """Runs of the catalogue's kernels and libraries, and of one machine's kernel, are no fault."""
    assert not doubts(
        run("host", "6.18.7"), run("6.1", "6.1.0-50"), run("6.12, libbpf 1.5", "6.12.1", "1.5")
    )


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        (run("6.99", "6.99.1"), "has a run of '6.99', which is no column of the matrix"),
        (run("6.12", "6.99.1"), "says that the kernel 6.12 was Linux 6.99, which is another"),
        (run("host", "9.99.0"), "has Linux 9.99 for host, others have 6.18"),
        (run("newest", "9.99.0"), "has Linux 9.99 for newest, others have 7.0"),
        (run("6.12, libbpf 1.5", "6.12.1", "1.1"), "says that libbpf 1.5 was version 1.1"),
    ],
)
def test_a_run_that_cannot_have_been_is_named(forged: Run, words: str) -> None:
    """A kernel that no column has, or another than its column's, is told with the record."""
    (doubt,) = doubts(forged)
    assert f"the record of page.md::example {words}" in doubt


def test_newest_is_never_older_than_the_others() -> None:
    """A kernel that the catalogue gives no number for is not below those that have one."""
    records = [Record("page.md", "example", "hash", (run("newest", "6.2.0"),))]
    (doubt,) = disagreements(records, COLUMNS)
    assert "the kernel newest was Linux 6.2, which is older than others there" in str(doubt)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Make a site that has a package of its own under test, and record its one example."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tested, "_hash", tested._hash.__wrapped__)
    site = Scratch(tmp_path)
    site.set(tested={"gadget": "gadget/*.py"})
    site.write("gadget/one.py", "print(1)\n")
    site.write("docs/index.md", PAGE)
    assert main(["record"]) == 0
    return site


def edit(scratch: Scratch, *changes: Callable[[Run], Run]) -> None:
    """Put changed copies of the record's run in its place, sealed as a forger would do it."""
    (path,) = (scratch.root / "records").rglob("*.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    (run,) = (Run(**each) for each in data["runs"])
    data["runs"] = [vars(change(run).sealed(data["hash"])) for change in changes]
    path.write_text(json.dumps(data), encoding="utf-8")


def badge(scratch: Scratch) -> list[str]:
    """Build the site; return the badge's summary and the result that its table has."""
    mkdocs_build(load_config(str(scratch.root / "mkdocs.yml")))
    page = BeautifulSoup((scratch.root / "site/index.html").read_text(), "html.parser")
    found = page.select("details.proof summary, details.proof td:nth-child(2)")
    return [each.get_text() for each in found]


def test_the_badge_says_what_was_tested(scratch: Scratch) -> None:
    """After a change of a package that the example names, and only then, its badge says so."""
    summary, result = badge(scratch)
    assert result == "as shown"
    scratch.write("gadget/two.py", "print(2)\n")
    assert badge(scratch) == [
        f"{summary} with an earlier gadget",
        "as shown with an earlier gadget",
    ]


def test_an_example_without_the_package_does_not_age(scratch: Scratch) -> None:
    """The record of an example that does not name the package knows nothing of it."""
    scratch.write("docs/index.md", PAGE.replace("gadget", "gadgets"))
    assert main(["record"]) == 0
    before = badge(scratch)
    scratch.write("gadget/one.py", "print(2)\n")
    assert badge(scratch) == before


def test_a_package_without_files_is_a_clear_error(
    scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pattern that no file has is told with the setting's file."""
    (scratch.root / "gadget/one.py").unlink()
    assert main(["record"]) == 1
    assert "`tested` names gadget/*.py, which is no file" in capsys.readouterr().err


def test_fresh_names_what_a_release_lacks(
    scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns that were never recorded, and records of an earlier package, fail."""
    assert main(["fresh"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "docs/index.md::example: not recorded on 6.12" in said
    assert not [line for line in said if "on host" in line]
    scratch.write("gadget/one.py", "print(2)\n")
    assert main(["fresh"]) == 1
    assert "docs/index.md::example: recorded on host with an earlier gadget" in (
        capsys.readouterr().out
    )


def test_verify_runs_a_column_again(scratch: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """What a record says of this machine's kernel is found again, and a forged result is not."""
    assert main(["verify"]) == 0
    assert "1 of 1 examples as recorded" in capsys.readouterr().out
    edit(
        scratch,
        lambda run: replace(run, result="needs wings"),
        lambda run: replace(run, column="6.12", place={**run.place, "kernel": "6.12.1"}),
    )
    assert main(["verify", "host"]) == 1
    assert "as shown on host, while its record says needs wings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"place": {"kernel": "9.99.1", "arch": "x86_64"}}, "and was 9.99 when it was recorded"),
        ({"column": "6.12"}, "has no record of host"),
    ],
)
def test_verify_finds_runs_that_never_were(
    scratch: Scratch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
    words: str,
) -> None:
    """A kernel that this machine does not have, or a column without a run, differs."""
    edit(scratch, lambda run: replace(run, **change))  # type: ignore[arg-type]
    assert main(["verify"]) == 1
    assert words in capsys.readouterr().err


def test_verify_finds_an_example_that_fails_now(
    scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An example that prints something else than its record says fails, and says what."""
    flag = scratch.root / "flag"
    scratch.write("docs/index.md", console(f"$ sudo sh -c 'test -e {flag}; echo $?'", "1"))
    assert main(["record"]) == 0
    flag.touch()
    assert main(["verify"]) == 1
    assert "failed on host" in capsys.readouterr().err


def test_no_record_is_kept_of_a_nameless_kernel(scratch: Scratch) -> None:
    """A kernel that only its file names has no column, and what ran there is not recorded."""
    assert OtherKernel("/boot/vmlinuz").column == ""
    proof = replace(prove(scratch.example(PAGE), chosen()), column="")
    with pytest.raises(ProofError, match="only a file's path names"):
        write(proof, scratch.site())

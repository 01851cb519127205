"""An example in a file of its own, that pages include, and what an example needs of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from proof.errors import ProofError
from proof.kernel import fitting
from proof.kernel.fitting import Fitting
from proof.kernel.host import Host
from proof.kernel.protocol import Needs, Seen
from proof.record.digest import distinct
from proof.record.matrix import Column, Setting, run_column
from proof.record.record import read
from proof.record.shelf import astray
from proof.run.prove import prove
from proof.settings import Settings
from tests.proof.scratch import PROBE, Scratch, chosen

EXAMPLE = """\
### Example: say hello { #example }

```console
$ echo hello
hello
```
"""
FILE = "examples/hello/example.md"
PAGE = '# Page\n\nText.\n\n--8<-- "examples/hello/example.md"\n'


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A site with two pages that include one example."""
    made = Scratch(tmp_path)
    made.write(FILE, EXAMPLE)
    made.write("docs/index.md", PAGE)
    made.write("docs/deep/other.md", PAGE)
    return made


def test_one_run_and_one_record_serve_all_pages(scratch: Scratch) -> None:
    """The record is named after the file, and whichever page is recorded, nothing is astray."""
    done = scratch.python("proof", "record")
    assert done.stdout.count("recorded on") == 1, done.stdout + done.stderr
    record = read(scratch.root / "records/examples/hello/example.json")
    assert record.page == FILE
    site = scratch.site()
    examples = [e for path in site.paths() for e in scratch.account(path).examples]
    assert len(examples) == 2
    assert [example.name for example in distinct(examples)] == [FILE]
    assert not list(astray(examples, site))


def test_a_failure_names_the_line_of_the_file(scratch: Scratch) -> None:
    """What is wrong stands in the included file, so that its line is what to look at."""
    scratch.write(FILE, EXAMPLE.replace("\nhello\n", "\nhallo\n"))
    (example,) = scratch.account("docs/deep/other.md").examples
    (failure,) = prove(example, chosen()).failures
    assert failure.startswith(f"{FILE}:5: ")
    assert f"in {FILE}" in failure


def test_a_file_with_two_examples_is_refused(scratch: Scratch) -> None:
    """Two examples would have one record: the message says to divide the file."""
    scratch.write(FILE, EXAMPLE + EXAMPLE.replace("#example", "#second").replace("hello", "bye"))
    with pytest.raises(ProofError, match="file of its own"):
        distinct(scratch.account().examples)


class Kernel(Host):
    """This machine's kernel, as if it had nothing but some words."""

    def __init__(self, *has: str) -> None:
        super().__init__(PROBE)
        self._has = has

    def lacks(self, words: Iterable[str]) -> list[str]:
        """See `Host.lacks`."""
        return sorted(set(words) - set(self._has))


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fitting]:
    """Makes what finds a kernel, of this machine's and the default one as given."""

    def make(name: str, host: Kernel, other: Kernel) -> Fitting:
        kernels = {name: host, "default": other}
        monkeypatch.setattr(fitting, "default", lambda: "default")
        monkeypatch.setattr(
            fitting, "choose", lambda root, settings, name, cpus: kernels[name or "host"]
        )
        return Fitting(Path(), Settings(), name)

    return make


def test_the_default_kernel_stands_in_for_this_machine_s(fit: Callable[..., Fitting]) -> None:
    """An example goes where all is that it needs; and where nothing has it, the words are named."""
    host, other = Kernel("btf"), Kernel("btf", "kprobes")
    found = fit("host", host, other)
    assert found.of(()) is host
    assert found.of(("btf",)) is host
    assert found.of(("kprobes", "btf")) is other
    with pytest.raises(ProofError, match="has kprobs; is it spelled right"):
        found.of(("kprobs",))
    with pytest.raises(ProofError, match=r"the kernel 6\.1 lacks kprobes"):
        fit("6.1", host, other).of(("kprobes",))


def test_the_matrix_says_what_a_kernel_lacks(scratch: Scratch) -> None:
    """An example is not run where something is missing: that is no failure, and is recorded."""
    heading = '{ #example data-requires="btf no_such_function" }'
    scratch.write(FILE, EXAMPLE.replace("{ #example }", heading))
    site = scratch.site()
    column: Column = run_column(Setting("host"), scratch.account().examples, site)
    result = column.results[FILE]
    assert (result.verdict, result.good) == ("needs no_such_function", True)


def test_the_probe_is_asked_once_about_a_word() -> None:
    """Each question takes a program in a guest, so that an answer is kept."""
    asked: list[list[str]] = []

    def ask(words: list[str]) -> Seen:
        asked.append(words)
        return Seen('{"kernel": "6.1", "arch": "x86_64", "refusal": null, "lacks": ["b"]}')

    needs = Needs(ask)
    assert needs.lacks(["a", "b"]) == ["b"]
    assert needs.lacks(["b", "c", "a"]) == ["b"]
    assert asked == [["a", "b"], ["c"]]


def test_a_probe_that_knows_no_needs_says_so() -> None:
    """The engine's own probe says nothing of what a kernel has."""
    with pytest.raises(ProofError, match="no probe says whether"):
        Host().lacks(["kprobes"])


def test_this_machine_s_probe_knows_names_of_the_kernel() -> None:
    """A name of the kernel's BTF is there, and one that nobody gave is not."""
    words = ["btf", "bpf_prog_load_no_such", "BPF_FUNC_ringbuf_output"]
    assert Host(PROBE).lacks(words) == ["bpf_prog_load_no_such"]

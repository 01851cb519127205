"""Every example of every page, repeated as a reader would, on a real kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeGuard

import pytest

from proof.errors import ProofError
from proof.example.examples import Account, Example, read_page
from proof.kernel.choose import chosen_name
from proof.kernel.fitting import Fitting
from proof.kernel.protocol import HOST, Kernel
from proof.page.pages import open_pages
from proof.record.agreement import disagreements
from proof.record.digest import distinct
from proof.record.matrix import columns
from proof.record.record import read_all
from proof.record.shelf import astray
from proof.run.prove import Proof, prove

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "mkdocs.yml"
_ran_on_kernel: list[str] = []


def _accounts() -> dict[str, Account | ProofError]:
    """Read every page; a page that cannot be read becomes a test that fails, not a crash."""
    accounts: dict[str, Account | ProofError] = {}
    site = open_pages(CONFIG)
    for path in site.paths():
        try:
            accounts[path] = read_page(site.page(path))
        except ProofError as error:
            accounts[path] = error
    return accounts


_ACCOUNTS = _accounts()
_EXAMPLES = distinct(e for a in _ACCOUNTS.values() if isinstance(a, Account) for e in a.examples)


@pytest.mark.parametrize("path", _ACCOUNTS)
def test_page(path: str) -> None:
    """Every block of the page is a file, commands and output, or a marked illustration."""
    account = _ACCOUNTS[path]
    problems = [account] if isinstance(account, ProofError) else account.problems
    if problems:
        pytest.fail("\n".join(map(str, problems)), pytrace=False)


@pytest.fixture(scope="session")
def proofs(
    request: pytest.FixtureRequest, kernels: Fitting
) -> Iterator[dict[str, Future[Proof | list[str]]]]:
    """Repeat the examples that were selected, as many at a time as there are processors."""
    wanted = {item.callspec.id for item in request.session.items if _is_example(item)}
    chosen = [example for example in _EXAMPLES if example.name in wanted]
    lacks = kernels.chosen.lacks(word for example in chosen for word in example.requires)
    on_host = chosen_name() == HOST
    # A guest runs one command at a time.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as here, ThreadPoolExecutor(1) as there:
        yield {
            example.name: (
                here if on_host and not set(lacks).intersection(example.requires) else there
            ).submit(_prove, example, kernels)
            for example in chosen
        }
        for pool in (here, there):
            pool.shutdown(cancel_futures=True)


def _prove(example: Example, kernels: Fitting) -> Proof | list[str]:
    """Repeat an example; where another kernel than the host's was chosen, say what it lacks."""
    lacks = kernels.chosen.lacks(example.requires)
    if lacks and chosen_name() != HOST:
        return lacks
    return prove(example, kernels.of(example.requires))


def _is_example(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and item.originalname == "test_example"


@pytest.mark.parametrize("example", _EXAMPLES, ids=[e.name for e in _EXAMPLES])
def test_example(
    example: Example,
    proofs: dict[str, Future[Proof | list[str]]],
    chosen_kernel: Kernel,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The example's commands print what its page shows, where the kernel has what it needs."""
    try:
        proof = proofs[example.name].result()
    except ProofError as error:
        pytest.fail(str(error), pytrace=False)
    if isinstance(proof, list):
        with capsys.disabled():
            kernel = chosen_kernel.facts()["kernel"]
            print(f"\n{example.name}: Linux {kernel} lacks {', '.join(proof)}")
        return
    if proof.on_kernel:
        _ran_on_kernel.append(example.name)
    if proof.failures:
        pytest.fail("\n".join(proof.failures), pytrace=False)


def test_examples_and_records_belong_together() -> None:
    """Each example is recorded as it stands on its page, and no record is of anything else."""
    site = open_pages(CONFIG)
    found = [*astray(_EXAMPLES, site), *disagreements(list(read_all(site.records)), columns())]
    problems = [str(problem) for problem in found]
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def test_some_example_ran_on_a_kernel(
    chosen_kernel: Kernel, record_property: Callable[[str, object], None]
) -> None:
    """At least one example ran on a kernel: nothing was left out in silence."""
    assert _ran_on_kernel, (
        "no example of any page ran on a kernel: the pages hold none whose commands begin with"
        " `sudo`, or the tests before this one, which run them, failed or were not selected"
    )
    record_property("kernel", chosen_kernel.facts()["kernel"])
    record_property("examples", len(_EXAMPLES))

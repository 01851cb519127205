"""Every example on every kernel, and with each libbpf: what came of it, and how long that took."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from proof.errors import KernelLost, ProofError
from proof.example.comparison import decode
from proof.example.examples import Example, read_page
from proof.example.place import Place
from proof.kernel.choose import all_kernels, choose
from proof.kernel.protocol import HOST, Kernel, column_name
from proof.page.pages import Pages
from proof.record.digest import distinct
from proof.record.record import AS_SHOWN
from proof.run.prove import Proof, prove

REFUSED = "refused"
NEEDS = "needs "
"""How the verdict begins on an example that a kernel lacks something for."""
FAILED = "failed"


@dataclass(frozen=True)
class Setting:
    """A column of the matrix.

    Attributes:
        kernel: What `proof.kernel.choose` takes.
        library: A library that takes the place of the system's; None if none does.
    """

    kernel: str
    library: str | None = None

    @property
    def name(self) -> str:
        """What it is called in tables, messages and records."""
        return column_name(self.kernel, self.library)


@dataclass(frozen=True)
class Result:
    """What came of an example in a setting.

    Attributes:
        verdict: `as shown`, `refused` (rightly, and with a clear message), `needs` and what the
            kernel lacks, `failed`, or what befell the guest.
        why: In words, unless the verdict says it all.
        proof: What was seen, if the example came to its end.
        said: If it was refused: the line that says so, of each session, by its label.
    """

    verdict: str
    why: str = ""
    proof: Proof | None = None
    said: Mapping[str, str] | None = None

    @property
    def good(self) -> bool:
        """Whether this is as it should be."""
        return self.verdict in (AS_SHOWN, REFUSED) or self.verdict.startswith(NEEDS)


@dataclass
class Column:
    """What came of all examples in a setting.

    Attributes:
        setting: Which one.
        facts: What a record says of it; empty if nothing ran there.
        results: By the example's name.
        boots: How many guests were booted.
        retries: How many boots were tried once more.
        booting: Seconds until the first guest was up.
        commands: Seconds that the commands of the examples took.
        seconds: Of all of it.
    """

    setting: Setting
    facts: dict[str, str] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    boots: int = 0
    retries: int = 0
    booting: float = 0.0
    commands: float = 0.0
    seconds: float = 0.0


def columns() -> list[Setting]:
    """Return all columns: this machine's kernel, all others, and one with each other library."""
    return [Setting(HOST), *(Setting(kernel, library) for kernel, library in all_kernels())]


def named(name: str) -> Setting:
    """Return the column of this name.

    Raises:
        ProofError: There is none; the message lists those there are.
    """
    known = {setting.name: setting for setting in columns()}
    if name not in known:
        raise ProofError(f"the matrix has no column {name!r}: there are {'; '.join(known)}")
    return known[name]


def rows(site: Pages) -> list[Example]:
    """Return all examples of a site, each once.

    Raises:
        ProofError: A block of a page is not as it should be, or no page has an example.
    """
    accounts = [read_page(site.page(path)) for path in site.paths()]
    if problems := [problem for account in accounts for problem in account.problems]:
        raise ProofError("\n".join(map(str, problems)))
    examples = distinct(example for account in accounts for example in account.examples)
    if not examples:
        raise ProofError("no page has an example, so there is nothing to run")
    return examples


def fill(
    chosen: Sequence[Setting],
    examples: Sequence[Example],
    site: Pages,
    workers: int,
    tell: Callable[[Column], None] = lambda column: None,
) -> list[Column]:
    """Run all examples in all settings.

    Args:
        chosen: The settings.
        examples: The examples.
        site: The site that they are on.
        workers: How many settings at a time.
        tell: Called with each column that is done.
    """
    telling = threading.Lock()

    def run(setting: Setting) -> Column:
        column = run_column(setting, examples, site)
        with telling:
            tell(column)
        return column

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, chosen))


def run_column(setting: Setting, examples: Sequence[Example], site: Pages) -> Column:
    """Run all examples in a setting; whatever goes wrong is in the answer."""
    column = Column(setting)
    started = time.monotonic()
    kernel = choose(site.root, site.settings, setting.kernel, library=setting.library)
    with closing(kernel):
        _run_all(column, kernel, examples, site, started)
    column.boots, column.retries = kernel.boots, kernel.retries
    column.seconds = time.monotonic() - started
    return column


def _run_all(
    column: Column, kernel: Kernel, examples: Sequence[Example], site: Pages, started: float
) -> None:
    try:
        refusal = kernel.refusal()
        column.facts = kernel.facts()
        lacks = set(kernel.lacks(word for example in examples for word in example.requires))
        if refusal and column.setting.kernel == HOST:
            raise ProofError(refusal)
    except ProofError as error:
        column.results = {example.name: lost(error) for example in examples}
        return
    column.booting = time.monotonic() - started
    for example in examples:
        if missing := [word for word in example.requires if word in lacks]:
            column.results[example.name] = lacking(example, missing, column)
            continue
        try:
            proof = prove(example, kernel, check=False)
        except ProofError as error:
            column.results[example.name] = lost(error)
        else:
            column.results[example.name] = judge(proof, refusal, site.settings.refusals)
            column.commands += sum(run.seconds for run in proof.repeated)


def lacking(example: Example, missing: Sequence[str], where: Column) -> Result:
    """Return the result of an example that was not run, as the kernel lacks what it needs."""
    verdict = NEEDS + ", ".join(missing)
    proof = Proof(example, (), (verdict,), Place(where.facts), where.setting.name)
    return Result(verdict, proof=proof, said={})


def lost(error: ProofError) -> Result:
    """Return the result of an example that was not brought to its end, which is not its fault."""
    return Result(error.how if isinstance(error, KernelLost) else "not run", str(error))


def judge(proof: Proof, refusal: str | None, refusals: Sequence[str] = ()) -> Result:
    """Return what came of an example.

    Args:
        proof: What was seen.
        refusal: Why the kernel cannot run it; None if it can.
        refusals: Patterns of a line that says so, the plainest first.
    """
    if not proof.failures:
        return Result(AS_SHOWN, proof=proof)
    why = "\n".join(proof.failures)
    if refusal is None or proof.expected:
        # The page says what is printed there, and it was something else.
        return Result(FAILED, why, proof)
    said: dict[str, str | None] = {}
    for session, _, outcome in proof.seen():
        if outcome.on_kernel and outcome.status:
            line = _plainest(decode(outcome.output), refusals)
            said[session.label] = said.get(session.label) or line
    clear = {label: line for label, line in said.items() if line}
    if clear and len(clear) == len(said):
        return Result(REFUSED, refusal, proof, clear)
    return Result(FAILED, f"{refusal}; but the example does not say so:\n{why}", proof)


def _plainest(lines: Sequence[str], refusals: Sequence[str]) -> str | None:
    return next((line for each in refusals for line in lines if re.search(each, line)), None)

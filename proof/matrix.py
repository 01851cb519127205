"""Every example on every kernel, and with each libbpf: what came of it, and how long that took."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from proof.choose import HOST
from proof.compare import decode
from proof.errors import (
    BootFailed,
    EmulatorDied,
    GuestError,
    GuestHang,
    GuestOutOfMemory,
    GuestPanic,
    ProofError,
)
from proof.examples import Example
from proof.kernel import Host, Kernel
from proof.prove import Proof, prove
from proof.record import AS_SHOWN
from proof.vm import kernels
from proof.vm.kernel import Virtual

REFUSED = "refused"
FAILED = "failed"

# Where a kernel has no user ring buffer, an example has to say so: by the error, or in words.
_WORDS = "Linux 6.1"
_CLEAR = re.compile(rf"Invalid argument|EINVAL|-22\b|{re.escape(_WORDS)}")

_LOST: dict[type[GuestError], str] = {
    GuestPanic: "guest: panic",
    GuestHang: "guest: hang",
    GuestOutOfMemory: "guest: no memory",
    EmulatorDied: "guest: QEMU died",
    BootFailed: "guest: no boot",
}


@dataclass(frozen=True)
class Setting:
    """A column of the matrix.

    Attributes:
        kernel: A key of `kernels.toml`, or `host`.
        library: A library of `kernels.toml`; None is the system's own.
    """

    kernel: str
    library: str | None = None

    @property
    def name(self) -> str:
        """What it is called in tables and messages."""
        return f"{self.kernel}, {self.library}" if self.library else self.kernel


@dataclass(frozen=True)
class Result:
    """What came of an example in a setting.

    Attributes:
        verdict: `as shown`, `refused` (rightly, and with a clear message), `failed`, or what
            befell the guest.
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
        return self.verdict in (AS_SHOWN, REFUSED)


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


def settings() -> list[Setting]:
    """Return all columns: each kernel with the system's libbpf, and one with each other libbpf."""
    data = kernels.load()
    return [
        Setting(HOST),
        *(Setting(name) for name in data.kernels),
        *(Setting(data.default, name) for name in data.libraries),
    ]


def fill(
    chosen: Sequence[Setting],
    examples: Sequence[Example],
    workers: int,
    tell: Callable[[Column], None] = lambda column: None,
) -> list[Column]:
    """Run all examples in all settings.

    Args:
        chosen: The settings.
        examples: The examples.
        workers: How many settings at a time.
        tell: Called with each column that is done.
    """
    telling = threading.Lock()

    def run(setting: Setting) -> Column:
        column = run_column(setting, examples)
        with telling:
            tell(column)
        return column

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, chosen))


def run_column(setting: Setting, examples: Sequence[Example]) -> Column:
    """Run all examples in a setting; whatever goes wrong is in the answer."""
    column = Column(setting)
    started = time.monotonic()
    if setting.kernel == HOST:
        _run_all(column, Host(), examples, started)
    else:
        with Virtual(setting.kernel, library=setting.library) as kernel:
            _run_all(column, kernel, examples, started)
            column.boots, column.retries = kernel.boots, kernel.retries
    column.seconds = time.monotonic() - started
    return column


def _run_all(column: Column, kernel: Kernel, examples: Sequence[Example], started: float) -> None:
    refusal = None
    try:
        if isinstance(kernel, Virtual):
            refusal = kernel.refusal()
        else:
            kernel.check()
        column.facts = kernel.facts()
    except ProofError as error:
        column.results = {example.name: lost(error) for example in examples}
        return
    column.booting = time.monotonic() - started
    for example in examples:
        try:
            proof = prove(example, kernel, check=False)
        except ProofError as error:
            column.results[example.name] = lost(error)
        else:
            column.results[example.name] = judge(proof, refusal)
            column.commands += sum(run.seconds for run in proof.repeated)


def lost(error: ProofError) -> Result:
    """Return the result of an example that was not brought to its end, which is not its fault."""
    verdict = next((words for kind, words in _LOST.items() if isinstance(error, kind)), "not run")
    return Result(verdict, str(error))


def judge(proof: Proof, refusal: str | None) -> Result:
    """Return what came of an example.

    Args:
        proof: What was seen.
        refusal: Why the kernel cannot run it; None if it can.
    """
    if not proof.failures:
        return Result(AS_SHOWN, proof=proof)
    why = "\n".join(proof.failures)
    if refusal is None or proof.expected:
        # The page says what is printed there, and it was something else.
        return Result(FAILED, why, proof)
    clear: dict[str, list[str]] = {}
    for session, command, outcome in proof.seen():
        if command.needs_kernel and outcome.status:
            lines = filter(_CLEAR.search, decode(outcome.output))
            clear.setdefault(session.label, []).extend(lines)
    if clear and all(clear.values()):
        # In words, if there are any.
        said = {
            label: max(lines, key=lambda line: _WORDS in line) for label, lines in clear.items()
        }
        return Result(REFUSED, refusal, proof, said)
    return Result(FAILED, f"{refusal}; but the example does not say so:\n{why}", proof)

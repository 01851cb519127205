"""Example to verdict: repeat its sessions and say, in words, what is not as the page says."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from proof.example.commands import STATUS, Command
from proof.example.comparison import align, decode, matches, unified, visible
from proof.example.examples import Example
from proof.example.place import Place
from proof.example.session import DIFFERS, Session
from proof.kernel import protocol
from proof.kernel.protocol import Kernel
from proof.run.shell import LIMIT, NOTHING, Given, Outcome, Repeated, repeat

_REFERENCE = re.compile(
    r"""(?x)
    (?<![\w./+-])(?P<file>[\w./+-]+):(?P<line>\d+)\b |   # compilers, and the verifier's log
    File\ "(?P<python>[^"\n]+)",\ line\ (?P<python_line>\d+)  # a Python traceback
    """
)


_INTERRUPTED = 128 + signal.SIGINT
"""The status of a command that Ctrl-C ended."""

_ENDS = 60
"""Lines that a message quotes from each end of an output or a diff."""


@dataclass(frozen=True)
class Proof:
    """What came of an example: an outcome for each session, and what is wrong, in words.

    An example is proved if `failures` is empty.

    Attributes:
        example: Which one.
        repeated: Its sessions.
        failures: What is wrong, in words.
        place: What is known of the kernel.
        column: The kernel's `Kernel.column`.
    """

    example: Example
    repeated: tuple[Repeated, ...]
    failures: tuple[str, ...]
    place: Place
    column: str

    def seen(self) -> Iterator[tuple[Session, Command, Outcome]]:
        """Yield each command that was started, as the page has it for this place."""
        for session, run in zip(self.example.sessions, self.repeated, strict=True):
            for command, outcome in zip(
                session.commands_on(self.place), run.outcomes, strict=False
            ):
                yield session, command, outcome

    @property
    def expected(self) -> bool:
        """Whether the page has words of its own for what is printed in this place."""
        return any(v.condition.holds(self.place) for s in self.example.sessions for v in s.variants)

    @property
    def on_kernel(self) -> bool:
        """Whether a command ran on the kernel, not only on the machine around it."""
        return any(outcome.on_kernel for _, _, outcome in self.seen())


def prove(
    example: Example,
    kernel: Kernel,
    limit: float = LIMIT,
    *,
    check: bool = True,
    given: Given = NOTHING,
) -> Proof:
    """Repeat an example's sessions, each from its own empty directory.

    Args:
        example: What to repeat.
        kernel: Where commands that begin with `sudo` run.
        limit: Seconds for each session.
        check: Whether to try first if the kernel is fit for it.
        given: What its sessions have beside what the page says.

    Raises:
        ProofError: The kernel is not fit for it.
    """
    if check:
        protocol.check(kernel)
    place = Place(kernel.facts())
    runs: list[Repeated] = []
    failures: list[str] = []
    for session in example.sessions:
        files = {name: block.text for name, block in session.files.items()}
        commands = session.commands_on(place)
        awaited = {n: c.until for n, c in enumerate(commands) if c.until is not None}
        run = repeat(files, [c.text for c in commands], kernel, limit, given, awaited)
        runs.append(run)
        failures += _session_failures(example, session, commands, run)
    if not failures:
        failures += _unlike(example, place, runs)
        failures += _unopened(example, runs)
        failures += _left(example, runs)
    return Proof(example, tuple(runs), tuple(failures), place, kernel.column)


def _session_failures(
    example: Example, session: Session, commands: Sequence[Command], run: Repeated
) -> Iterator[str]:
    for number, (command, outcome) in enumerate(zip(commands, run.outcomes, strict=False)):
        asked = number + 1 < len(commands) and commands[number + 1].asks
        printed = command.comparable(decode(outcome.output))
        if outcome.status is None:
            what = f"this command {run.ended}"
            body = _quote(printed)
            yield _failure(example, session, command, what, body=body, printed=printed)
            return
        interrupted = command.until is not None and outcome.status == _INTERRUPTED
        if outcome.status and not asked and not interrupted:
            what = (
                f"this command failed with status {outcome.status}; if it is meant to, let"
                f" `$ {STATUS}` follow it"
            )
            body = _quote(printed)
            yield _failure(example, session, command, what, body=body, printed=printed)
            return
        if outcome.job:
            what = (
                f"a command in the background had failed with status {outcome.job} when this one"
                " had ended; if it is meant to, `wait` for it"
            )
            yield _failure(example, session, command, what, body=_quote(printed), printed=printed)
            return
        steps = align(command.shown, printed)
        wrong = next((s for s in steps if s.mark != " "), None)
        if wrong:
            where = command.shown_at(wrong.shown) if command.shown else command.origin
            body = ["--- shown", "+++ printed", *unified(steps)]
            what = "the page shows another output than this command printed"
            yield _failure(example, session, command, what, body=body, printed=printed, where=where)


def _failure(
    example: Example,
    session: Session,
    command: Command,
    what: str,
    *,
    body: Sequence[str],
    printed: Sequence[str],
    where: object = None,
) -> str:
    label = f" ({session.label})" if session.label else ""
    first, *more = command.text.split("\n")
    lines = [f"{where or command.origin}: {what}", f"  in {example.name}{label}", f"  $ {first}"]
    lines += [f"  > {line}" for line in more]
    lines += [f"  {line}" for line in _shortened(body)]
    references = list(_references(session, printed))
    if references:
        lines += ["  where", *(f"    {line}" for line in references)]
    return "\n".join(lines)


def _shortened(body: Sequence[str]) -> list[str]:
    """Leave out the middle of what nobody would read."""
    left_out = len(body) - 2 * _ENDS
    if left_out <= 0:
        return list(body)
    return [*body[:_ENDS], f"({left_out} lines more)", *body[-_ENDS:]]


def _quote(printed: Sequence[str]) -> list[str]:
    return [f"| {visible(line)}" for line in printed] or ["(it printed nothing)"]


def _references(session: Session, printed: Sequence[str]) -> Iterator[str]:
    """Translate what the output says of lines of the example's files into lines of the source."""
    said: set[tuple[str, int]] = set()
    for match in _REFERENCE.finditer("\n".join(printed)):
        path = match["file"] or match["python"]
        line = int(match["line"] or match["python_line"])
        for name, block in session.files.items():
            here = Path(path).as_posix()
            if (here == name or here.endswith(f"/{name}")) and (name, line) not in said:
                said.add((name, line))
                if 0 < line <= len(block.lines):
                    yield f"{name}:{line} is {block.origin(line - 1)}"


def _unopened(example: Example, runs: Sequence[Repeated]) -> Iterator[str]:
    """Name the files that no alternative's commands opened: nothing shows that they are right."""
    blocks = {b.number: b for session in example.sessions for b in session.files.values()}
    for session, run in zip(example.sessions, runs, strict=True):
        for name in run.opened:
            blocks.pop(session.files[name].number, None)
    for block in blocks.values():
        yield (
            f"{block.start}: no command of the example opens the file {block.title!r}; use it, or"
            f" mark the block {{ .illustration }}\n  in {example.name}"
        )


def _left(example: Example, runs: Sequence[Repeated]) -> Iterator[str]:
    """Name what a session left behind on the kernel."""
    for session, run in zip(example.sessions, runs, strict=True):
        if run.left:
            last = session.commands[-1]
            yield _failure(
                example,
                session,
                last,
                "after the last command something is left; let a command remove it",
                body=run.left,
                printed=(),
            )


def _unlike(example: Example, place: Place, runs: Sequence[Repeated]) -> Iterator[str]:
    """Compare what alternatives do on the kernel, which is what they claim to do alike."""
    sides = [
        [
            (command, outcome)
            for command, outcome in zip(session.commands_on(place), run.outcomes, strict=True)
            if outcome.on_kernel and command.block.tabs and DIFFERS not in command.block.classes
        ]
        for session, run in zip(example.sessions, runs, strict=True)
    ]
    for session, side in zip(example.sessions[1:], sides[1:], strict=True):
        labels = f"{example.sessions[0].label} and {session.label}"
        if len(side) != len(sides[0]):
            yield (
                f"{example.name}: the alternatives {labels} run {len(sides[0])} and {len(side)}"
                " commands with sudo, so they cannot be compared; let them do alike, or give the"
                f" blocks the class {{ .{DIFFERS} }}"
            )
            continue
        for left, right in zip(sides[0], side, strict=True):
            yield from _difference(example, labels, left, right)


def _difference(
    example: Example, labels: str, left: tuple[Command, Outcome], right: tuple[Command, Outcome]
) -> Iterator[str]:
    (first, one), (second, other) = left, right
    printed, also = decode(one.output), decode(other.output)
    # Where the page leaves room with wildcards, each may differ as the other's text allows.
    if printed == also or (matches(first.shown, also) and matches(second.shown, printed)):
        return
    body = [f"--- {first.origin}", f"+++ {second.origin}", *unified(align(printed, also))]
    yield "\n".join(
        [
            f"{second.origin}: the alternatives {labels} print different things; let them do alike,"
            f" or give the block the class {{ .{DIFFERS} }}",
            f"  in {example.name}",
            *(f"  {line}" for line in body),
        ]
    )

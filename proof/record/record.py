"""Proof to record: what ran, where and when, kept in the repository for the site to show."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from proof.errors import ProofError
from proof.example.commands import Command
from proof.example.comparison import decode, matches
from proof.example.examples import Example
from proof.example.place import Place, series
from proof.page.pages import Pages
from proof.record.digest import digest
from proof.record.tested import digests
from proof.record.tools import versions
from proof.run.prove import Proof
from proof.run.shell import Outcome
from proof.whole import write_whole

AS_SHOWN = "as shown"
"""The result of a run whose output was what the page shows."""

_LONGEST_NAME = 255
"""Bytes of a file's name."""

_COMMON = ("/", "/usr", "/usr/local")
"""Places that are the same for all, and that a page may show."""


@dataclass(frozen=True)
class Run:
    """One run of an example on one kernel.

    Attributes:
        column: The name that the kernel has in the matrix; see `Kernel.column`.
        place: What the probe said of the kernel: `kernel` (its release), `arch` and more.
        tools: The versions of the programs of this machine that the settings name.
        tested: Hashes of the packages that the example used; see `proof.record.tested`.
        date: The day, in UTC, as YYYY-MM-DD.
        outputs: For each session, by its label, the output of each command; or, where it was not
            what the page shows, the line that says why.
        result: Whether the output was what the page shows; if not, what else was right there.
        seal: A hash of all this, by which an edit is noticed; whoever forges the hash as well has
            to be found by running the example again.
    """

    column: str
    place: dict[str, str]
    tools: dict[str, str]
    tested: dict[str, str]
    date: str
    outputs: dict[str, list[str]]
    result: str = AS_SHOWN
    seal: str = ""

    def sealed(self, hashed: str) -> Run:
        """Return the run with its seal, as one of the example that has this hash."""
        fields = {name: value for name, value in asdict(self).items() if name != "seal"}
        text = json.dumps([hashed, fields], sort_keys=True, separators=(",", ":"))
        return replace(self, seal=hashlib.sha256(text.encode()).hexdigest())

    @property
    def kernel(self) -> str:
        """The kernel's release, as `uname -r` prints it."""
        return self.place["kernel"]

    @property
    def series(self) -> str:
        """The kernel's series: 6.18 of 6.18.44-1-amd64."""
        return ".".join(map(str, series(self.kernel)))

    @property
    def key(self) -> tuple[str, ...]:
        """What a later run must share with this one to take its place."""
        rest = (value for name, value in self.place.items() if name != "kernel")
        return self.series, *rest


@dataclass(frozen=True)
class Record:
    """The runs of an example, all of one and the same text of it."""

    page: str
    example: str
    hash: str
    runs: tuple[Run, ...]

    @property
    def shown(self) -> tuple[Run, ...]:
        """The runs whose output was what the page shows."""
        return tuple(run for run in self.runs if run.result == AS_SHOWN)


def is_shown(run: Run, example: Example) -> bool:
    """Say whether a run printed what the example shows, if its record says that it did."""
    if run.result != AS_SHOWN:
        return True  # the record says what it was instead
    if list(run.outputs) != [session.label for session in example.sessions]:
        return False
    return all(
        _is_session_shown(session.commands_on(Place(run.place)), outputs)
        for session, outputs in zip(example.sessions, run.outputs.values(), strict=True)
    )


def _is_session_shown(commands: Sequence[Command], outputs: Sequence[str]) -> bool:
    return len(outputs) == len(commands) and all(
        matches(command.shown, command.comparable(decode(_bytes(output))))
        for command, output in zip(commands, outputs, strict=True)
    )


def path_of(example: Example, site: Pages) -> Path:
    """Return where an example's record is kept.

    Args:
        example: The example.
        site: The site that it is on.
    """
    if example.file != example.page:
        return site.records / PurePosixPath(example.file).with_suffix(".json")
    page = PurePosixPath(example.page)
    if page.is_relative_to(site.docs):
        page = page.relative_to(site.docs)
    name = f"{example.id}.json"
    if "/" in name or len(os.fsencode(name)) > _LONGEST_NAME:
        heading = example.blocks[0].start if example.blocks else None
        raise ProofError(
            f"the id {example.id!r} of this example's heading is no name for a file, as its record"
            " needs; give the heading a short one: { #name }",
            heading,
        )
    return site.records / page.with_suffix("") / name


def read(path: Path) -> Record:
    """Read a record.

    Raises:
        ProofError: The file is no record.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        runs = tuple(Run(**run) for run in data.pop("runs"))
        record = Record(runs=runs, **data)
        _check(record)
        return record
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProofError(
            f"{path}: is no record ({error}); delete it and record the example again"
        ) from error


def _check(record: Record) -> None:
    """Raise TypeError or ValueError where a field holds what `write` never writes."""
    texts = [record.page, record.example, record.hash]
    for run in record.runs:
        texts += [run.column, run.date, run.result, run.kernel, run.place["arch"]]
        texts += [*run.place.values(), *run.tools.values(), *run.tested.values()]
        for label, outputs in run.outputs.items():
            if not isinstance(outputs, list):
                raise TypeError(f"the outputs of {label!r} are no list")
            texts += outputs
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise TypeError(f"{wrong[0]!r} stands in the place of a text")
    if edited := [run for run in record.runs if run != run.sealed(record.hash)]:
        raise ValueError(f"the run on Linux {edited[0].kernel} was edited")
    if len({run.key for run in record.runs}) < len(record.runs):
        raise ValueError("two runs are of the same kernel series and the same other facts")
    if len({run.column for run in record.runs}) < len(record.runs):
        raise ValueError("two runs are of the same column of the matrix")


def read_all(records: Path) -> Iterator[Record]:
    """Read every record of a directory."""
    for path in sorted(records.rglob("*.json")):
        yield read(path)


def write(
    proof: Proof,
    site: Pages,
    result: str = AS_SHOWN,
    said: Mapping[str, str] | None = None,
) -> Path:
    """Add a run to an example's record.

    Runs of a text of the example that is no longer the page's are dropped, and a run takes the
    place of an older one of the same column of the matrix, or of the same kernel series and the
    same other facts.

    Args:
        proof: What was seen.
        site: The site that the example is on.
        result: What is to be said of the output.
        said: If that is not that it is as shown: for each session, by its label, the line of its
            output that says why. The rest, a traceback say, is of interest to nobody.

    Raises:
        ProofError: The example failed, so that there is nothing to record, or it ran on a kernel
            that has no name.
    """
    example = proof.example
    if proof.failures and result == AS_SHOWN:
        raise ProofError(f"{example.name}: cannot be recorded, as it failed")
    if not proof.column:
        raise ProofError(
            f"{example.name}: no record is kept of a kernel that only a file's path names, as"
            " nobody else could run it again; add it to the catalogue of kernels"
        )
    path, hashed = path_of(example, site), digest(example)
    run = _run(proof, site, result, said).sealed(hashed)
    runs = [run]
    # What is no record, a part of one say, is replaced.
    with contextlib.suppress(ProofError):
        if path.exists() and (old := read(path)).hash == hashed:
            runs += [r for r in old.runs if r.key != run.key and r.column != run.column]
    runs.sort(key=lambda r: (series(r.kernel), r.key))
    record = Record(example.file, example.id, hashed, tuple(runs))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(record), ensure_ascii=False, indent=2)
    write_whole(path, text + "\n", errors="backslashreplace")
    return path


def _run(proof: Proof, site: Pages, result: str, said: Mapping[str, str] | None) -> Run:
    if said is None:
        outputs = {
            session.label: [_text(outcome, run.directory) for outcome in run.outcomes]
            for session, run in zip(proof.example.sessions, proof.repeated, strict=True)
        }
    else:
        outputs = {label: [line] for label, line in said.items()}
    return Run(
        column=proof.column,
        place=dict(proof.place.facts),
        tools=versions(site.settings.tools),
        tested=digests(proof.example, site.root, site.settings),
        date=datetime.now(UTC).date().isoformat(),
        outputs=outputs,
        result=result,
    )


def _text(outcome: Outcome, directory: str) -> str:
    """Return an output without paths of the machine that it ran on, which are nobody's business.

    No page can show them, other than by a wildcard.
    """
    text = "".join(f"{line}\n" for line in decode(outcome.output))
    places = {directory: "example", sys.prefix: "python", sys.base_prefix: "python"}
    places[str(Path.cwd())] = "here"
    for place in sorted(places, key=len, reverse=True):
        if place not in _COMMON:
            text = text.replace(place, f"[{places[place]}]")
    return text


def _bytes(output: str) -> bytes:
    return output.encode("utf-8", errors="surrogateescape")

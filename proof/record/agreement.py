"""Records to doubt: what they say of kernels, held against the catalogue and each other.

Nothing here runs an example; `proof verify` does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from proof.errors import ProofError
from proof.kernel.protocol import HOST
from proof.record.matrix import Setting
from proof.record.record import Record, Run


def disagreements(records: Sequence[Record], columns: Sequence[Setting]) -> Iterator[ProofError]:
    """Yield what the records say that cannot be.

    Args:
        records: All records of a repository.
        columns: All columns of the matrix.
    """
    runs = [(record, run) for record in records for run in record.runs]
    known = {setting.name: setting for setting in columns}
    usual = {
        name: Counter(run.series for _, run in runs if run.column == name).most_common(1)[0][0]
        for name in {run.column for _, run in runs}
    }
    for record, run in runs:
        where = f"the record of {record.page}::{record.example}"
        if run.column not in known:
            yield ProofError(
                f"{where} has a run of {run.column!r}, which is no column of the matrix: there are"
                f" {'; '.join(known)}"
            )
        elif run.series != usual[run.column]:
            yield ProofError(
                f"{where} has Linux {run.series} for {run.column}, others have"
                f" {usual[run.column]}: record this column of all examples again"
            )
        elif fault := _fault(run, known[run.column], columns):
            yield ProofError(f"{where} says {fault}: record the example again")


def _fault(run: Run, setting: Setting, columns: Sequence[Setting]) -> str:
    if setting.kernel == HOST:
        return ""
    kernels = [each.kernel for each in columns]
    if fault := _beside(run.series, setting.kernel, kernels):
        return f"that the kernel {setting.kernel} was Linux {run.series}, {fault}"
    if setting.library is None:
        return ""
    name, _, version = setting.library.rpartition(" ")
    others = [each.library.rpartition(" ")[2] for each in columns if each.library]
    found = run.place.get(name, "none")
    fault = _beside(found, version, others)
    return fault and f"that {setting.library} was version {found}, {fault}"


def _beside(found: str, wanted: str, all_wanted: Iterable[str]) -> str:
    """Say why a version is not one that its name in the catalogue allows; "" if it is.

    A name without a number, such as `newest`, is of no version below those that have one.
    """
    if numbers := _numbers(wanted):
        return "" if _numbers(found)[: len(numbers)] == numbers else "which is another"
    highest = max(map(_numbers, all_wanted), default=())
    return "" if _numbers(found) >= highest else "which is older than others there"


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()

"""The matrix in a terminal: a line for each kernel and each example, and what went wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from proof.record.matrix import FAILED, NEEDS, REFUSED, Column, Result
from proof.record.record import AS_SHOWN

_MARKS = {AS_SHOWN: "+", REFUSED: "r", NEEDS: "n", FAILED: "F"}
_NOT_RUN = "!"


def progress(column: Column) -> str:
    """Return a line on a column that is done."""
    return f"{column.setting.name}: {_count(column)} ({column.seconds:.0f} s)"


def summary(columns: Sequence[Column], seconds: float, workers: int) -> Iterator[str]:
    """Yield the lines of the summary.

    Args:
        columns: The matrix.
        seconds: What all of it took.
        workers: How many columns were filled at a time.
    """
    width = max(len(column.setting.name) for column in columns)
    releases = max(len(column.facts.get("kernel", "")) for column in columns)
    for number, column in enumerate(columns, 1):
        release, libbpf = (column.facts.get(name, "-") for name in ("kernel", "libbpf"))
        yield (
            f"{number:3}  {column.setting.name:{width}}  {release:{releases}}  libbpf {libbpf}"
            f"  {column.seconds:5.1f} s  {_count(column)}"
        )
    yield ""
    yield " ".join(f"{number:2}" for number, _ in enumerate(columns, 1))
    for name in _names(columns):
        marks = (_mark(column.results[name]) for column in columns)
        yield " ".join(f"{mark:>2}" for mark in marks) + f"  {name}"
    yield (
        "+ as shown, r refused as it must be, n needs what the kernel lacks, F failed,"
        " ! not run (which says nothing of it)"
    )
    for why, where in _wrong(columns):
        yield ""
        yield f"{where}:"
        yield from (f"  {line}" for line in why.splitlines())
    boots, retries = (sum(getattr(c, what) for c in columns) for what in ("boots", "retries"))
    booting, commands, spent = (
        sum(getattr(c, what) for c in columns) for what in ("booting", "commands", "seconds")
    )
    yield ""
    yield (
        f"{boots} boots, {retries} of them at the second try; {seconds:.0f} s with {workers}"
        f" kernels at a time, of which {100 * booting / spent:.0f} % went into boots and"
        f" {100 * commands / spent:.0f} % into the examples' commands"
    )


def _names(columns: Sequence[Column]) -> Iterator[str]:
    return iter(dict.fromkeys(name for column in columns for name in column.results))


def _count(column: Column) -> str:
    verdicts = [result.verdict for result in column.results.values()]
    return ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))


def _mark(result: Result) -> str:
    verdict = NEEDS if result.verdict.startswith(NEEDS) else result.verdict
    return _MARKS.get(verdict, _NOT_RUN)


def _wrong(columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Yield each thing that went wrong, and where; what is the same in one column is said once."""
    for column in columns:
        bad = [(r.why, r.verdict, name) for name, r in column.results.items() if not r.good]
        for (why, verdict), group in itertools.groupby(bad, key=lambda each: each[:2]):
            names = [name for _, _, name in group]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            yield why, f"{column.setting.name}: {verdict}: {names[0]}{more}"

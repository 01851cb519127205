"""`proof verify`: run a column of the matrix again, and compare with the records."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator, Sequence

from proof.example.examples import Example
from proof.example.place import series
from proof.kernel.protocol import HOST
from proof.page.pages import Pages, open_pages
from proof.record.agreement import disagreements
from proof.record.digest import digest
from proof.record.matrix import Column, columns, named, rows, run_column
from proof.record.shelf import shelf

RANDOM = "random"


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `verify`."""
    parser = subcommands.add_parser("verify", help=__doc__, description=__doc__)
    parser.add_argument(
        "column",
        nargs="?",
        default=HOST,
        help=f"a column of the matrix, or {RANDOM}, which draws one (default: %(default)s)",
    )
    parser.set_defaults(do=_verify)


def _verify(options: argparse.Namespace) -> int:
    site = open_pages(options.config)
    examples = rows(site)
    known = columns()
    doubts = [str(each) for each in disagreements(shelf(site.records).all(), known)]
    name = secrets.choice(known).name if options.column == RANDOM else options.column
    column = run_column(named(name), examples, site)
    faults = list(_differences(column, examples, site))
    for fault in doubts + faults:
        print(fault, file=sys.stderr)
    release = column.facts.get("kernel", "unknown")
    good = len(examples) - len(faults)
    print(f"{name} (Linux {release}): {good} of {len(examples)} examples as recorded")
    return int(bool(doubts or faults))


def _differences(column: Column, examples: Sequence[Example], site: Pages) -> Iterator[str]:
    """Yield how the column differs from the records."""
    name, command = column.setting.name, site.settings.matrix_command
    here = ".".join(map(str, series(column.facts.get("kernel", ""))))
    for example in examples:
        result = column.results[example.name]
        record = shelf(site.records).find(digest(example))
        run = next((run for run in record.runs if run.column == name), None) if record else None
        if not result.good:
            yield f"{example.name}: {result.verdict} on {name}\n{result.why}"
        elif run is None:
            yield f"{example.name} has no record of {name}: run `{command}`"
        elif run.result != result.verdict:
            yield f"{example.name}: {result.verdict} on {name}, while its record says {run.result}"
        elif run.series != here:
            yield (
                f"{example.name}: {name} is Linux {here} here, and was {run.series} when it was"
                f" recorded: run `{command}`"
            )

"""`proof matrix`: every example on every kernel, and with each library."""

from __future__ import annotations

import argparse
import os
import sys
import time

from proof.cli.summary import progress, summary
from proof.page.pages import Pages, open_pages
from proof.record.matrix import Column, columns, fill, named, rows
from proof.record.record import path_of, write
from proof.record.shelf import remove_orphans


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `matrix`."""
    parser = subcommands.add_parser("matrix", help=__doc__, description=__doc__)
    names = ", ".join(setting.name for setting in columns())
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help=f"fill this column, and others so named; there are: {names}",
    )
    parser.add_argument("--record", action="store_true", help="write the records of all that ran")
    parser.add_argument(
        "--workers",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="kernels at a time (default: %(default)s)",
    )
    parser.set_defaults(do=_matrix)


def _matrix(options: argparse.Namespace) -> int:
    site = open_pages(options.config)
    examples = rows(site)
    only = [named(name) for name in options.only or ()]
    chosen = [setting for setting in columns() if not only or setting in only]
    started = time.monotonic()

    def done(column: Column) -> None:
        print(progress(column), file=sys.stderr, flush=True)
        if options.record:
            _keep(column, site)

    filled = fill(chosen, examples, site, options.workers, done)
    for line in summary(filled, time.monotonic() - started, options.workers):
        print(line)
    if options.record:
        remove_orphans({path_of(example, site) for example in examples}, site.records)
    return int(not all(r.good for column in filled for r in column.results.values()))


def _keep(column: Column, site: Pages) -> None:
    """Write the records of what was as it should be."""
    for result in column.results.values():
        if result.good and result.proof is not None:
            write(result.proof, site, result.verdict, result.said)

"""`proof coverage`: what became of every code block of every page."""

from __future__ import annotations

import argparse
import sys

from proof.page.pages import open_pages
from proof.record.coverage import count, cover


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `coverage`."""
    parser = subcommands.add_parser("coverage", help=__doc__, description=__doc__)
    parser.set_defaults(do=_coverage)


def _coverage(options: argparse.Namespace) -> int:
    coverage = cover(open_pages(options.config))
    for line in coverage.lines:
        print(f"{line.place}: {line.what}: {line.fate.value}")
    for problem in coverage.problems:
        print(problem, file=sys.stderr)
    if not coverage.lines:
        print("no page has a code block", file=sys.stderr)
    print(f"{coverage.percent} % of {count(coverage.lines)}")
    return int(not coverage.whole)

"""Measures, prints, and on request records; see `make bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from benchmarks import answers, costs, machine, memory, page, tables, through, waits
from benchmarks.effort import Effort
from benchmarks.figures import Figure
from benchmarks.goals import GOALS, Verdict
from benchmarks.results import LATEST, RECORDED, Results

KINDS: dict[str, Callable[[Effort], list[Figure]]] = {
    "what a sample costs": costs.measure,
    "through the kernel": through.measure,
    "reading answers": answers.measure,
    "waiting": waits.measure,
    "memory": memory.measure,
}


def run(effort: Effort) -> Results:
    """Measures everything."""
    where = machine.describe(effort)
    figures: list[Figure] = []
    for what, measure in KINDS.items():
        print(f"Measuring: {what} ...", file=sys.stderr, flush=True)
        figures += measure(effort)
    return Results(where, figures)


def report(results: Results) -> int:
    """Print the results; return 1 if a goal is missed by more than noise."""
    for heading, figures in tables.groups(results):
        print(f"\n{heading}\n")
        print(tables.plain(tables.FIGURE_HEAD, list(tables.figure_rows(figures))), end="")
    print("\nGoals\n")
    print(tables.plain(tables.GOAL_HEAD, list(tables.goal_rows(results))))
    missed = [goal for goal in GOALS if goal.verdict(results) is Verdict.MISSED]
    print(f"{len(missed)} of {len(GOALS)} goals missed by more than noise.")
    return 1 if missed else 0


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--record", action="store_true", help="keep the run, and redraw the page")
    what.add_argument("--redraw", action="store_true", help="redraw the page from the kept run")
    arguments = parser.parse_args()
    if arguments.redraw:
        page.write()
        return 0
    results = run(Effort())
    results.save(LATEST)
    if arguments.record:
        results.save(RECORDED)
        page.write()
    return report(results)


if __name__ == "__main__":
    sys.exit(main())

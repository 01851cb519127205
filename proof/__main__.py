"""The command line: `python -m proof record [pages]` and its kin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from proof.coverage import count, cover
from proof.errors import ProofError
from proof.page import Site
from proof.recording import RECORDS, add_check, add_matrix, add_record
from proof.vm.command_line import add_kernels, add_run


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("mkdocs.yml"), help="the site")
    subcommands = parser.add_subparsers(required=True, metavar="command")
    add_record(subcommands)
    add_matrix(subcommands)
    add_check(subcommands)
    _add_coverage(subcommands)
    add_run(subcommands)
    add_kernels(subcommands)
    options = parser.parse_args(arguments)
    try:
        status: int = options.do(options)
    except ProofError as error:
        print(f"proof: {error}", file=sys.stderr)
        failed: int = options.failed
        return failed
    except BrokenPipeError:
        return 141  # as of a shell: whoever read our output has gone
    except KeyboardInterrupt:
        return 130
    return status


def _add_coverage(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("coverage", help="say what became of every code block")
    parser.set_defaults(do=_coverage, failed=1)


def _coverage(options: argparse.Namespace) -> int:
    site = Site(options.config)
    coverage = cover(site, site.root / RECORDS)
    for line in coverage.lines:
        print(f"{line.place}: {line.what}: {line.fate.value}")
    for problem in coverage.problems:
        print(problem, file=sys.stderr)
    if not coverage.lines:
        print("no page has a code block", file=sys.stderr)
    print(f"{coverage.percent} % of {count(coverage.lines)}")
    return int(not coverage.whole)


if __name__ == "__main__":
    sys.exit(main())

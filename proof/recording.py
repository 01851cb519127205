"""The subcommands of `python -m proof` that run examples, or account for them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import closing
from pathlib import Path

from proof.choose import choose
from proof.coverage import count, cover
from proof.errors import ProofError
from proof.examples import read_page
from proof.kernel import Kernel
from proof.matrix import Column, fill, settings
from proof.page import Site
from proof.prove import prove
from proof.record import path_of, remove_orphans, write
from proof.session import LIMIT
from proof.summary import progress, summary
from proof.update import update_output

RECORDS = "records"


def add_record(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `record`."""
    parser = subcommands.add_parser("record", help="run examples and record where they ran")
    parser.add_argument("pages", nargs="*", metavar="page", help="Markdown files (default: all)")
    parser.add_argument(
        "--update-output",
        action="store_true",
        help="rewrite the output shown on the pages to what was printed",
    )
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="seconds for a session (default: %(default)g)"
    )
    parser.add_argument("--kernel", help="one that `kernels` lists, or a vmlinuz, or host")
    parser.set_defaults(do=_record, failed=1)


def _record(options: argparse.Namespace) -> int:
    with closing(choose(options.kernel)) as kernel:
        return _record_on(kernel, options)


def _record_on(kernel: Kernel, options: argparse.Namespace) -> int:
    site = Site(options.config)
    records = site.root / RECORDS
    docs = site.docs
    paths = [_from_root(site, page) for page in options.pages] or site.paths()
    written: set[Path] = set()
    failed = found = False
    for path in paths:
        account = read_page(site.page(path))
        for problem in account.problems:
            print(problem, file=sys.stderr)
        failed |= bool(account.problems)
        # From the last to the first, so that output which is rewritten moves no example to come.
        for example in reversed(account.examples):
            found = True
            proof = prove(example, kernel, options.limit)
            if proof.failures and options.update_output:
                for place in update_output(proof, site.root):
                    print(f"{place}: output rewritten")
                # What is recorded is the page as it now stands, so read and run that.
                site = Site(options.config)
                fresh = read_page(site.page(path)).examples
                proof = prove(next(e for e in fresh if e.id == example.id), kernel, options.limit)
            if proof.failures:
                failed = True
                print("\n".join(proof.failures), file=sys.stderr)
                written.add(path_of(example, records, docs))
                continue
            written.add(write(proof, kernel.facts(), records, docs))
            print(f"{example.name}: recorded on Linux {kernel.facts()['kernel']}")
    if not found and not failed:
        raise ProofError(f"no example is on {', '.join(paths) or 'the site, which has no page'}")
    if not options.pages and not failed:
        for orphan in remove_orphans(written, records):
            print(f"{orphan.relative_to(site.root)}: removed, as no page has this example")
    return int(failed)


def add_coverage(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `coverage`."""
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


def _from_root(site: Site, page: str) -> str:
    path = Path(page).resolve()
    if not path.is_relative_to(site.root):
        raise ProofError(f"{page}: is not below {site.root}; name a page of the site")
    return path.relative_to(site.root).as_posix()


def add_check(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check`."""
    summary = "say why the examples cannot run on a kernel; nothing if they can"
    parser = subcommands.add_parser("check", help=summary, description=summary)
    parser.add_argument("--kernel", help="one that `kernels` lists, or a vmlinuz, or host")
    parser.set_defaults(do=_check, failed=1)


def _check(options: argparse.Namespace) -> int:
    with closing(choose(options.kernel)) as kernel:
        kernel.check()
    return 0


def add_matrix(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `matrix`."""
    summary = "run every example on every kernel, and with each libbpf"
    parser = subcommands.add_parser("matrix", help=summary, description=summary)
    names = ", ".join(setting.name for setting in settings())
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
    parser.set_defaults(do=_matrix, failed=1)


def _matrix(options: argparse.Namespace) -> int:
    site = Site(options.config)
    accounts = [read_page(site.page(path)) for path in site.paths()]
    problems = [problem for account in accounts for problem in account.problems]
    if problems:
        raise ProofError("\n".join(map(str, problems)))
    examples = [example for account in accounts for example in account.examples]
    chosen = settings()
    for name in options.only or ():
        if name not in [setting.name for setting in chosen]:
            known = "; ".join(setting.name for setting in chosen)
            raise ProofError(f"the matrix has no column {name!r}: there are {known}")
    if options.only:
        chosen = [setting for setting in chosen if setting.name in options.only]
    if not examples:
        raise ProofError("no page has an example, so there is nothing to run")
    started = time.monotonic()

    def done(column: Column) -> None:
        print(progress(column), file=sys.stderr, flush=True)
        if options.record:
            _keep(column, site)

    columns = fill(chosen, examples, options.workers, done)
    for line in summary(columns, time.monotonic() - started, options.workers):
        print(line)
    if options.record:
        kept = {path_of(example, site.root / RECORDS, site.docs) for example in examples}
        remove_orphans(kept, site.root / RECORDS)
    return int(not all(r.good for column in columns for r in column.results.values()))


def _keep(column: Column, site: Site) -> None:
    """Write the records of what was as it should be."""
    records, docs = site.root / RECORDS, site.docs
    for result in column.results.values():
        if result.good and result.proof is not None:
            write(result.proof, column.facts, records, docs, result.verdict, result.said)

"""`proof record`: run examples, and record where they ran."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path

from proof.errors import ProofError
from proof.example.examples import read_page
from proof.kernel.fitting import Fitting
from proof.page.pages import Pages, open_pages
from proof.record.record import path_of, write
from proof.record.shelf import remove_orphans
from proof.record.update import update_output
from proof.run.prove import prove
from proof.run.shell import LIMIT


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `record`."""
    parser = subcommands.add_parser("record", help=__doc__, description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="page", help="Markdown files (default: all)")
    parser.add_argument(
        "--update-output",
        action="store_true",
        help="rewrite the output shown on the pages to what was printed",
    )
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="seconds for a session (default: %(default)g)"
    )
    parser.add_argument("--kernel", help="the name of another kernel, or a vmlinuz, or host")
    parser.set_defaults(do=_record)


def _record(options: argparse.Namespace) -> int:
    site = open_pages(options.config)
    with closing(Fitting(site.root, site.settings, options.kernel)) as kernels:
        return _record_on(kernels, site, options)


def _record_on(kernels: Fitting, site: Pages, options: argparse.Namespace) -> int:
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
            if (where := path_of(example, site)) in written:
                continue  # another page includes it, too
            kernel = kernels.of(example.requires)
            proof = prove(example, kernel, options.limit)
            if proof.failures and options.update_output:
                for place in update_output(proof, site.root):
                    print(f"{place}: output rewritten")
                # What is recorded is the page as it now stands, so read and run that.
                fresh = read_page(site.page(path)).examples
                proof = prove(next(e for e in fresh if e.id == example.id), kernel, options.limit)
            if proof.failures:
                failed = True
                print("\n".join(proof.failures), file=sys.stderr)
                written.add(where)
                continue
            written.add(write(proof, site))
            print(f"{example.name}: recorded on Linux {kernel.facts()['kernel']}")
    if not found and not failed:
        raise ProofError(f"no example is on {', '.join(paths) or 'the site, which has no page'}")
    if not options.pages and not failed:
        for orphan in remove_orphans(written, site.records):
            print(f"{orphan.relative_to(site.root)}: removed, as no page has this example")
    return int(failed)


def _from_root(site: Pages, page: str) -> str:
    path = Path(page).resolve()
    if not path.is_relative_to(site.root):
        raise ProofError(f"{page}: is not below {site.root}; name a page of the site")
    return path.relative_to(site.root).as_posix()

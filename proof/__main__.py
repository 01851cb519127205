"""The command line: `python -m proof record [pages]` and its kin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from proof.errors import ProofError
from proof.examples import read_page
from proof.kernel import Host
from proof.page import Site
from proof.prove import prove
from proof.record import path_of, remove_orphans, write
from proof.session import LIMIT
from proof.update import update_output
from proof.vm.command_line import add_kernels, add_run

RECORDS = "records"


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("mkdocs.yml"), help="the site")
    subcommands = parser.add_subparsers(required=True, metavar="command")
    _add_record(subcommands)
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


def _add_record(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    parser.set_defaults(do=_record, failed=1)


def _record(options: argparse.Namespace) -> int:
    site = Site(options.config)
    records = site.root / RECORDS
    docs = Path(site.config["docs_dir"]).resolve().relative_to(site.root).as_posix()
    paths = [_from_root(site, page) for page in options.pages] or site.paths()
    kernel = Host()
    written: set[Path] = set()
    failed = False
    for path in paths:
        account = read_page(site.page(path))
        for problem in account.problems:
            print(problem, file=sys.stderr)
        failed |= bool(account.problems)
        for example in account.examples:
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
            written.add(write(proof, kernel, records, docs))
            print(f"{example.name}: recorded on Linux {kernel.facts()['kernel']}")
    if not options.pages and not failed:
        for orphan in remove_orphans(written, records):
            print(f"{orphan.relative_to(site.root)}: removed, as no page has this example")
    return int(failed)


def _from_root(site: Site, page: str) -> str:
    path = Path(page).resolve()
    if not path.is_relative_to(site.root):
        raise ProofError(f"{page}: is not below {site.root}; name a page of the site")
    return path.relative_to(site.root).as_posix()


if __name__ == "__main__":
    sys.exit(main())

"""`proof fresh`: which records are not of what is here now, or lack a column of the matrix."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from proof.page.pages import Pages, open_pages
from proof.record.digest import digest
from proof.record.matrix import columns, rows
from proof.record.shelf import shelf
from proof.record.tested import digests, earlier


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fresh`."""
    parser = subcommands.add_parser("fresh", help=__doc__, description=__doc__)
    parser.set_defaults(do=_fresh)


def _fresh(options: argparse.Namespace) -> int:
    site = open_pages(options.config)
    old = list(_old(site))
    for line in old:
        print(line)
    if old:
        print(f"Run `{site.settings.matrix_command}`.")
    return int(bool(old))


def _old(site: Pages) -> Iterator[str]:
    for example in rows(site):
        record = shelf(site.records).find(digest(example))
        runs = {run.column: run for run in record.runs} if record else {}
        now = digests(example, site.root, site.settings)
        for setting in columns():
            run = runs.get(setting.name)
            if run is None:
                yield f"{example.name}: not recorded on {setting.name}"
            elif words := earlier(run.tested, now):
                yield f"{example.name}: recorded on {setting.name} {words}"

"""`proof fit`: why the examples cannot run on a kernel, and nothing if they can."""

from __future__ import annotations

import argparse
from contextlib import closing

from proof.kernel import protocol
from proof.kernel.choose import choose
from proof.page.pages import open_pages


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fit`."""
    parser = subcommands.add_parser("fit", help=__doc__, description=__doc__)
    parser.add_argument("--kernel", help="the name of another kernel, or a vmlinuz, or host")
    parser.set_defaults(do=_fit)


def _fit(options: argparse.Namespace) -> int:
    site = open_pages(options.config)
    with closing(choose(site.root, site.settings, options.kernel)) as kernel:
        protocol.check(kernel)
    return 0

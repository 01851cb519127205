"""`proof check`: why the examples cannot run on a kernel, and nothing if they can."""

from __future__ import annotations

import argparse
from contextlib import closing

from proof.kernel import protocol
from proof.kernel.choose import choose
from proof.page.pages import open_pages


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check`."""
    parser = subcommands.add_parser("check", help=__doc__, description=__doc__)
    parser.add_argument("--kernel", help="the name of another kernel, or a vmlinuz, or host")
    parser.set_defaults(do=_check)


def _check(options: argparse.Namespace) -> int:
    site = open_pages(options.config)
    with closing(choose(site.root, site.settings, options.kernel)) as kernel:
        protocol.check(kernel)
    return 0

"""The command line: `python -m proof record [pages]` and its kin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from proof.cli import check, coverage, fit, fresh, matrix, record, verify
from proof.errors import ProofError


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument(
        "--config",
        type=Path,
        help="the mkdocs.yml of a site (default: the one here, if there is one)",
    )
    subcommands = parser.add_subparsers(required=True, metavar="command")
    for module in (record, matrix, verify, fresh, fit, coverage, check):
        module.add(subcommands)
    options = parser.parse_args(arguments)
    try:
        Path.cwd()
    except FileNotFoundError:
        print("proof: the working directory was removed; go to another one", file=sys.stderr)
        return 1
    try:
        if options.config is not None and not options.config.is_file():
            raise ProofError(
                f"{options.config}: is no file; give --config the mkdocs.yml of a site"
            )
        options.config = options.config or Path("mkdocs.yml")
        status: int = options.do(options)
    except ProofError as error:
        print(f"proof: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 141  # as of a shell: whoever read our output has gone
    except KeyboardInterrupt:
        print("proof: interrupted", file=sys.stderr)
        return 130
    return status


def script() -> NoReturn:
    """Run as the console script."""
    sys.exit(main())


if __name__ == "__main__":
    script()

"""The command line: `python -m proof record [pages]` and its kin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from proof.errors import ProofError
from proof.recording import add_check, add_coverage, add_matrix, add_record
from proof.vm.command_line import add_kernels, add_run


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("mkdocs.yml"), help="the site")
    subcommands = parser.add_subparsers(required=True, metavar="command")
    add_record(subcommands)
    add_matrix(subcommands)
    add_check(subcommands)
    add_run(subcommands)
    add_kernels(subcommands)
    add_coverage(subcommands)
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


if __name__ == "__main__":
    sys.exit(main())

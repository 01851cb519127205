"""The command: `python -m userrb doctor`, `demo` and `positions`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from userrb import LIBBPF_VERSION, __version__, demo, doctor, positions


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m userrb", description="The BPF user ring buffer for Python."
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"userrb {__version__} (libbpf {LIBBPF_VERSION})",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    diagnose = commands.add_parser(
        "doctor",
        help="say whether the ring can be used on this machine, and what is missing",
        description="Says whether the user ring buffer can be used on this machine (exit status 0) "
        "or not (1), and what to do about what is missing.",
    )
    diagnose.add_argument("--json", action="store_true", help="print JSON, for programs")
    commands.add_parser(
        "demo",
        help="send samples to a BPF program in the kernel, and show what happens",
        description="Sends samples to a BPF program in the kernel. It needs no compiler, and it "
        "leaves nothing behind.",
    )
    show = commands.add_parser(
        "positions",
        help="show what is reserved in a map, and discard what a killed process left",
        description="Shows how far a map is drained and reserved, and what is reserved: the first "
        "such sample stops the drain. --discard asks about each sample whose process is gone.",
    )
    show.add_argument("map", help="the path of the pinned map, or its id")
    show.add_argument("--discard", action="store_true", help="discard samples, after asking")
    show.add_argument("--yes", action="store_true", help="do not ask where the process is gone")
    return parser.parse_args(arguments)


def run(chosen: argparse.Namespace) -> int:
    """Run the command that was chosen."""
    if chosen.command == "doctor":
        return doctor.main(as_json=chosen.json)
    if chosen.command == "positions":
        return positions.main(chosen.map, chosen.discard, chosen.yes)
    return demo.main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    chosen = parse(arguments)
    if sys.stdout is None:  # a shell's >&-
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    try:
        status = run(chosen)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head for one, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())

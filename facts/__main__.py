"""The command line: `python -m facts` rewrites the facts on the pages; `--check` only compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facts.errors import FactError
from facts.pages import fresh, problems
from facts.program_types import measure, write


def main(arguments: list[str] | None = None) -> int:
    """Rewrite or check; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m facts", description=__doc__)
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="the pages' directory")
    parser.add_argument("--check", action="store_true", help="change nothing; fail on drift")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="first load a program of each type on this kernel, and keep what it says",
    )
    options = parser.parse_args(arguments)
    try:
        if options.measure:
            write(measure())
        return _check(options.docs) if options.check else _rewrite(options.docs)
    except FactError as error:
        print(f"facts: {error}", file=sys.stderr)
        return 1


def _check(docs: Path) -> int:
    found = [problem for page in sorted(docs.rglob("*.md")) for problem in problems(page, docs)]
    print("".join(f"{problem}\n" for problem in found), end="", file=sys.stderr)
    return int(bool(found))


def _rewrite(docs: Path) -> int:
    for page in sorted(docs.rglob("*.md")):
        text = fresh(page)
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(f"{page}: rewritten")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line: `python -m facts` rewrites the facts on the pages; `--check` only compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facts import kfuncs
from facts.errors import FactError
from facts.families import navigation
from facts.pages import fresh, problems
from facts.program_types import measure, write

_NAV = Path("mkdocs.yml")


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
    parser.add_argument(
        "--kfuncs", type=Path, metavar="BTF", help="first keep the kfuncs of this kernel's BTF"
    )
    parser.add_argument("--nav", type=Path, help="the file with the navigation", default=_NAV)
    options = parser.parse_args(arguments)
    try:
        if options.measure:
            write(measure())
        if options.kfuncs:
            kfuncs.take(options.kfuncs)
        return (
            _check(options.docs, options.nav)
            if options.check
            else _rewrite(options.docs, options.nav)
        )
    except FactError as error:
        print(f"facts: {error}", file=sys.stderr)
        return 1


def _check(docs: Path, nav: Path) -> int:
    found = [problem for page in sorted(docs.rglob("*.md")) for problem in problems(page, docs)]
    text = nav.read_text(encoding="utf-8")
    if navigation(text, docs) != text:
        found.append(f"{nav}: does not list all pages of names (run `make facts`)")
    print("".join(f"{problem}\n" for problem in found), end="", file=sys.stderr)
    return int(bool(found))


def _rewrite(docs: Path, nav: Path) -> int:
    for page in sorted(docs.rglob("*.md")):
        _write(page, fresh(page, docs))
    _write(nav, navigation(nav.read_text(encoding="utf-8"), docs))
    return 0


def _write(path: Path, text: str) -> None:
    if text != path.read_text(encoding="utf-8"):
        path.write_text(text, encoding="utf-8")
        print(f"{path}: rewritten")


if __name__ == "__main__":
    sys.exit(main())

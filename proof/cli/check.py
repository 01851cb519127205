"""`proof check`: how far each code block of pages gets that were not written for this engine.

C is compiled here, by an unprivileged user, and not run. What runs does so in a virtual machine
without network. No plugin or hook of a page's own site is loaded.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

from tqdm import tqdm

from proof.check.foreign import blocks
from proof.check.ladder import Ladder
from proof.check.rows import Level, Row
from proof.check.runner import Guest, Here, Runner
from proof.errors import ProofError
from proof.kernel.choose import default
from proof.kernel.sandbox import confined
from proof.run.directory import private_directory
from proof.whole import write_whole

_REASONS = 10
_DANGER = "run-untrusted-code-on-this-machine"


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check`."""
    parser = subcommands.add_parser("check", help=_first(__doc__), description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="Markdown or a folder")
    parser.add_argument("--prelude", type=Path, help="a header with what pages leave out of C")
    parser.add_argument("--kernel", help="the kernel that blocks run on (default: otherkernel's)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--no-run", action="store_true", help="only read and compile")
    where.add_argument(
        f"--{_DANGER}", action="store_true", help="not in a virtual machine, with your rights"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--junitxml", type=Path, metavar="FILE", help="also write them for CI")
    parser.add_argument(
        "--strict", action="store_true", help="fail if a block gets less far than it could"
    )
    parser.set_defaults(do=_check)


def _first(text: str | None) -> str:
    return (text or "").splitlines()[0].partition(": ")[2]


def _check(options: argparse.Namespace) -> int:
    prelude = options.prelude
    if prelude is not None and not prelude.is_file():
        raise ProofError(f"{prelude}: is no file; give --prelude a header")
    with private_directory() as private:
        folder = private / "blocks"
        folder.mkdir()
        private.chmod(0o755)
        folder.chmod(0o755)
        if prelude is not None:
            copy = folder / "prelude.h"
            copy.write_bytes(prelude.read_bytes())
            prelude = copy
        with confined(private, [folder]) as place, _runner(options, Here(place)) as runner:
            ladder = Ladder(folder, place, prelude, runner)
            rows = _rows(ladder, options.paths)
    if options.json:
        print(json.dumps([_plain(row) for row in rows], indent=1, ensure_ascii=False))
    else:
        print("\n".join(_table(rows)))
    if options.junitxml:
        write_whole(options.junitxml, _junit(rows))
    return int(options.strict and any(row.short for row in rows))


@contextmanager
def _runner(options: argparse.Namespace, here: Here) -> Iterator[Runner | None]:
    if options.no_run:
        yield None
    elif getattr(options, _DANGER.replace("-", "_")):
        yield here
    else:
        from proof.kernel.other import OtherKernel, find  # noqa: PLC0415

        name = options.kernel or default()
        find(name)
        with closing(OtherKernel(name)) as kernel:
            kernel.boot()
            yield Guest(kernel)


def _rows(ladder: Ladder, paths: Sequence[Path]) -> list[Row]:
    unread: list[Row] = []
    found = []
    for page, read in tqdm(blocks(paths), "Reading", unit=" pages", disable=None):
        if isinstance(read, ProofError):
            unread.append(Row(page, 1, "page", Level.PARSES, why=str(read)))
        else:
            found += list(ladder.rows(page, read))
    climbing = tqdm(ladder.climb(found), "Trying", len(found), unit=" blocks", disable=None)
    return sorted([*unread, *climbing], key=lambda row: (row.page, row.line))


def _table(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.short:
            yield f"{row.page}:{row.line}: {row.language}: {_said(row)}: {row.why}"
    levels = [level for level in Level if any(row.reached is level for row in rows)]
    languages = sorted({row.language for row in rows})
    width = max((len(name) for name in languages), default=0)
    yield ""
    yield " ".join([" " * width, *(f"{level!s:>8}" for level in levels), f"{'all':>8}"])
    for language in languages:
        mine = [row for row in rows if row.language == language]
        counts = Counter(row.reached for row in mine)
        numbers = [counts[level] or "" for level in levels]
        yield " ".join([f"{language:{width}}", *(f"{n:>8}" for n in numbers), f"{len(mine):>8}"])
    reasons = Counter(row.why for row in rows if row.short).most_common(_REASONS)
    if reasons:
        yield ""
        yield "The most frequent reasons:"
        yield from (f"{count:8} {why}" for why, count in reasons)


def _said(row: Row) -> str:
    return f"{row.reached}, of {row.wanted}" + (" (with the prelude)" if row.prelude else "")


def _plain(row: Row) -> dict[str, object]:
    return {**asdict(row), "wanted": str(row.wanted), "reached": str(row.reached)}


def _junit(rows: Sequence[Row]) -> str:
    suite = ET.Element("testsuite", name="proof check", tests=str(len(rows)))
    suite.set("failures", str(sum(row.short for row in rows)))
    for row in rows:
        name = f"{row.line}: {row.language}"
        case = ET.SubElement(suite, "testcase", classname=row.page, name=name)
        case.set("file", row.page)
        case.set("line", str(row.line))
        if row.short:
            ET.SubElement(case, "failure", message=_printable(f"{_said(row)}: {row.why}"))
    out = BytesIO()
    ET.ElementTree(suite).write(out, encoding="utf-8", xml_declaration=True)
    return out.getvalue().decode()


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)

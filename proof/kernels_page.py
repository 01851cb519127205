"""Records to page: a Python-Markdown extension that writes the table of examples by kernels.

It stands for a line `<!-- [KERNELS] -->`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mkdocs.exceptions import BuildError

from proof.examples import Example, read_page
from proof.page import Site
from proof.record import AS_SHOWN, COMMAND, Record, Run, digest, read_all
from proof.report import ReportExtension, link, row

MARKER = "<!-- [KERNELS] -->"
_NOT_RUN = "not run"

Place = tuple[str, str, str]
"""A column: the kernel's series, the architecture and the libbpf."""


def as_markdown(
    examples: Sequence[Example], records: Sequence[Record], docs: str, page: str
) -> list[str]:
    """Write the table as Markdown.

    Args:
        examples: The rows.
        records: All records.
        docs: The directory of the pages, from the repository's root.
        page: The page that it will stand on, from there.

    Raises:
        BuildError: An example has no record as it stands.
    """
    known = {record.hash: record for record in records if record.shown}
    rows: list[tuple[Example, dict[Place, Run]]] = []
    for example in examples:
        record = known.get(digest(example))
        if record is None:
            raise BuildError(
                f"{example.name} has not been run as it stands on the page: run `{COMMAND}`, and"
                " commit the record that it writes"
            )
        rows.append((example, {run.key: run for run in record.runs}))
    places = sorted({place for _, runs in rows for place in runs}, key=_order)
    several = len({arch for _, arch, _ in places}) > 1
    lines = [row(["Example", *(_head(place, several) for place in places)])]
    lines.append(row(["---"] * (len(places) + 1)))
    for example, runs in rows:
        title = example.heading.text if example.heading else ""
        where = link(example.page, docs, page, example.id if example.heading else "")
        # "Example" says no more than the page's own title.
        name = where if title in ("", "Example", "Examples") else f"{where}: {title}"
        lines.append(row([name, *(_cell(runs.get(place)) for place in places)]))
    return lines


def _order(place: Place) -> tuple[list[int], list[int], str]:
    series, arch, libbpf = place
    return _numbers(series), _numbers(libbpf), arch


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _head(place: Place, several: bool) -> str:
    series, arch, libbpf = place
    return f"Linux {series}{f' {arch}' if several else ''}, libbpf {libbpf}"


def _cell(run: Run | None) -> str:
    if run is None:
        return _NOT_RUN
    return "✓" if run.result == AS_SHOWN else run.result


def _write(site: Site, records: Path, page: str) -> list[str]:
    examples = [e for path in site.paths() for e in read_page(site.page(path)).examples]
    return as_markdown(examples, list(read_all(records)), site.docs, page)


def makeExtension(**settings: object) -> ReportExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return ReportExtension(MARKER, "kernels.md", _write, **settings)

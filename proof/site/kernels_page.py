"""Records to page: examples by kernels, for a page with the line `<!-- [KERNELS] -->`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proof.errors import ProofError
from proof.example.examples import Example, read_page
from proof.page.pages import Pages
from proof.record.digest import digest, distinct
from proof.record.record import AS_SHOWN, Run
from proof.record.shelf import shelf
from proof.site.report import link, page_with, row

MARKER = "<!-- [KERNELS] -->"
_NOT_RUN = "not run"

Column = tuple[str, ...]
"""What `Run.key` tells apart: the kernel's series, its architecture, what else the probe says."""


def as_markdown(examples: Sequence[Example], site: Pages, page: str) -> list[str]:
    """Write the table as Markdown.

    Args:
        examples: The rows.
        site: The site that they are on.
        page: The page that it will stand on, from the docs directory.

    Raises:
        ProofError: An example has no record as it stands.
    """
    rows: list[tuple[Example, dict[Column, Run]]] = []
    heads: dict[Column, Run] = {}
    for example in examples:
        record = shelf(site.records).find(digest(example))
        if record is None:
            raise ProofError(
                f"{example.name} has not been run as it stands on the page: run"
                f" `{site.settings.record_command}`, and commit the record that it writes"
            )
        runs = {run.key: run for run in record.runs}
        rows.append((example, runs))
        heads |= runs
    columns = sorted(heads, key=lambda column: [_numbers(part) for part in column])
    several = len({run.place["arch"] for run in heads.values()}) > 1
    lines = [row(["Example", *(_head(heads[column], several) for column in columns)])]
    lines.append(row(["---"] * (len(columns) + 1)))
    for example, runs in rows:
        title = example.heading.text if example.heading else ""
        where = link(example.page, site, page, example.id if example.heading else "")
        # "Example" says no more than the page's own title.
        name = where if title in ("", "Example", "Examples") else f"{where}: {title}"
        lines.append(row([name, *(_cell(runs.get(column)) for column in columns)]))
    return lines


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _head(run: Run, several: bool) -> str:
    rest = [
        f"{name} {value}" for name, value in run.place.items() if name not in ("kernel", "arch")
    ]
    arch = f" {run.place['arch']}" if several else ""
    return ", ".join([f"Linux {run.series}{arch}", *rest])


def _cell(run: Run | None) -> str:
    if run is None:
        return _NOT_RUN
    return "✓" if run.result == AS_SHOWN else run.result


def report(site: Pages) -> list[str]:
    """Write the table of a site, for the page that has the marker."""
    examples = distinct(e for path in site.paths() for e in read_page(site.page(path)).examples)
    return as_markdown(examples, site, page_with(MARKER, site))

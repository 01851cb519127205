"""Record to badge: what stands under each example, and says where it has run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from proof.errors import ProofError
from proof.example.examples import Example, find_examples
from proof.page.blocks import Page
from proof.record.digest import digest
from proof.record.record import AS_SHOWN, Record, Run, is_shown
from proof.record.shelf import shelf
from proof.record.tested import digests, earlier


def badges(page: Page, root: Path) -> Iterator[tuple[int, str]]:
    """Yield where in a page's HTML a badge goes, and the badge.

    Args:
        page: The page, as the site renders it.
        root: The root of the repository.

    Raises:
        ProofError: An example cannot be read, or has no record of how it stands on the page.
    """
    examples, problems = find_examples(page)
    if problems:
        raise problems[0]
    for example in examples:
        record = _find(example, root / page.settings.records, page.settings.record_command)
        now = digests(example, root, page.settings)
        yield _end(page, example), _badge(record, now) + "\n"


def _find(example: Example, records: Path, command: str) -> Record:
    record = shelf(records).find(digest(example))
    if record is None:
        names = [r.page for r in shelf(records).all() if r.example == example.id]
        title = example.heading.text if example.heading else "before the first heading"
        raise ProofError(
            f"the example {example.id!r} ({title!r}) has not been run as it stands on the page:"
            f" run `{command}`, and commit the record that it writes"
            + (
                f" (records of other examples, or of older text, of this name: {', '.join(names)})"
                if names
                else ""
            )
        )
    for run in record.runs:
        if not is_shown(run, example):
            raise ProofError(
                f"the record of {record.page}::{record.example} holds, for Linux {run.kernel},"
                f" another output than the page shows: it was edited; delete it and run `{command}`"
            )
    return record


def _end(page: Page, example: Example) -> int:
    """Return where in the HTML the example's section ends."""
    heading = example.heading
    whole = heading is not None and heading.example
    for later in page.headings:
        if not later.top or (heading and later.number <= heading.number):
            continue
        # An "Example" heading owns all below it; another owns what comes before any heading.
        if not whole or (heading and later.level <= heading.level):
            return later.offset
    return page.end


def _badge(record: Record, now: Mapping[str, str]) -> str:
    """Write the badge; it holds no `<pre>`, so that it can never be taken for an example."""
    names = ["Kernel", "Result", *_others(record), "Date", "Architecture"]
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(_row(run, _others(record), now) for run in record.runs)
    return (
        '<details class="proof" data-search-exclude>'
        f"<summary>{escape(_summary(record, now))}</summary>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _summary(record: Record, now: Mapping[str, str]) -> str:
    """Name the kernels that the example ran on, first those with what it tests as it is now."""
    said: dict[str, list[str]] = {"": []}
    for run in record.shown:
        said.setdefault(earlier(run.tested, now), []).append(run.series)
    parts = [
        " ".join(filter(None, (", ".join(dict.fromkeys(series)), words)))
        for words, series in said.items()
        if series
    ]
    return f"Ran on Linux {'; '.join(parts)}"


def _others(record: Record) -> list[str]:
    """Name what else the runs say of their places and tools."""
    facts = [{**run.place, **run.tools} for run in record.runs]
    names = dict.fromkeys(name for each in facts for name in each)
    return [name for name in names if name not in ("kernel", "arch")]


def _row(run: Run, others: list[str], now: Mapping[str, str]) -> str:
    facts = {**run.place, **run.tools}
    # What a phone shows of the table without scrolling comes first.
    cells = (
        run.kernel,
        " ".join(filter(None, (run.result, earlier(run.tested, now)))),
        *(facts.get(name, "") for name in others),
        run.date,
        facts["arch"],
    )
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    if run.result == AS_SHOWN or not run.outputs:
        return f"<tr>{row}</tr>"
    # What was printed instead has the next row for itself: a cell would be narrow and high.
    lines = dict.fromkeys(line.strip() for said in run.outputs.values() for line in said)
    words = "<br>".join(f"<samp>{escape(line)}</samp>" for line in lines)
    return f'<tr>{row}</tr><tr><td colspan="{len(cells)}">{words}</td></tr>'

"""Record to badge: a Python-Markdown extension that says under each example where it has run.

It executes nothing. It finds the examples in the page's HTML as the engine does, looks their
records up by hash, and fails the build where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import markdown
from bs4 import BeautifulSoup
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from mkdocs.exceptions import BuildError

from proof.blocks import Page, parse
from proof.errors import ProofError
from proof.examples import Example, find_examples
from proof.record import AS_SHOWN, COMMAND, Record, Run, digest, is_shown, read_all

_COLUMNS = ("Kernel", "Result", "libbpf", "clang", "cc", "Python", "Date", "Architecture")


class BadgeExtension(Extension):
    """Puts a badge at the end of each example's section.

    Its option `records` names the directory of the records, from the directory that the build
    runs in.
    """

    def __init__(self, **settings: object) -> None:
        self.config = {"records": ["records", "Directory of the records"]}
        super().__init__(**settings)

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register the postprocessor, behind the one (at 30) that puts code blocks in place."""
        badges = _Badges(md, Path(self.getConfig("records")))
        md.postprocessors.register(badges, "proof_badge", -10)


class _Badges(Postprocessor):
    def __init__(self, md: markdown.Markdown, records: Path) -> None:
        super().__init__(md)
        self._records = records

    def run(self, text: str) -> str:
        # Most pages have no example: do not parse them.
        if "language-console" not in text:
            return text
        try:
            return self._with_badges(text)
        except ProofError as error:
            # The one exception that MkDocs reports in a line, with the page, and no traceback.
            raise BuildError(str(error)) from error

    def _with_badges(self, text: str) -> str:
        page = parse(text)
        examples, problems = find_examples(page)
        if problems:
            raise problems[0]
        records = list(read_all(self._records))
        # From the end, so that each insertion leaves the places before it as they are.
        for example in sorted(examples, key=_place, reverse=True):
            end = _end(text, page, example)
            text = text[:end] + _badge(_find(example, records)) + "\n" + text[end:]
        return text


def _place(example: Example) -> int:
    return example.heading.number if example.heading else -1


def _find(example: Example, records: Sequence[Record]) -> Record:
    hashed = digest(example)
    for record in records:
        if record.hash == hashed and record.shown:
            for run in record.runs:
                if not is_shown(run, example):
                    raise ProofError(
                        f"the record of {record.page}::{record.example} holds, for Linux"
                        f" {run.kernel}, another output than the page shows: it was edited; delete"
                        f" it and run `{COMMAND}`"
                    )
            return record
    names = [r.page for r in records if r.example == example.id]
    title = example.heading.text if example.heading else "before the first heading"
    raise ProofError(
        f"the example {example.id!r} ({title!r}) has not been run as it stands on the page:"
        f" run `{COMMAND}`, and commit the record that it writes"
        + (
            f" (records of other examples, or of older text, of this name: {', '.join(names)})"
            if names
            else ""
        )
    )


def _end(text: str, page: Page, example: Example) -> int:
    """Return where in the HTML the example's section ends."""
    heading = example.heading
    whole = heading is not None and heading.text.startswith("Example")
    for later in page.headings:
        if not later.top or (heading and later.number <= heading.number):
            continue
        # An "Example" heading owns all below it; another owns what comes before any heading.
        if not whole or (heading and later.level <= heading.level):
            return later.offset
    notes = BeautifulSoup(text, "html.parser").find("div", class_="footnote")
    if notes and notes.parent and notes.parent.name == "[document]":
        line, column = (notes.sourceline or 1) - 1, notes.sourcepos or 0
        return sum(len(s) + 1 for s in text.split("\n")[:line]) + column
    return len(text)


def _badge(record: Record) -> str:
    """Write the badge; it holds no `<pre>`, so that it can never be taken for an example."""
    series = list(dict.fromkeys(run.series for run in record.shown))
    heads = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    rows = "".join(map(_row, record.runs))
    return (
        '<details class="proof" data-search-exclude>'
        f"<summary>Ran on Linux {escape(', '.join(series))}</summary>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _row(run: Run) -> str:
    # What a phone shows of the table without scrolling comes first.
    cells = (run.kernel, run.result, run.libbpf, run.clang, run.cc, run.python, run.date, run.arch)
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    if run.result == AS_SHOWN:
        return f"<tr>{row}</tr>"
    # What was printed instead has the next row for itself: a cell would be narrow and high.
    lines = dict.fromkeys(line.strip() for said in run.outputs.values() for line in said)
    words = "<br>".join(f"<samp>{escape(line)}</samp>" for line in lines)
    return f'<tr>{row}</tr><tr><td colspan="{len(cells)}">{words}</td></tr>'


def makeExtension(**settings: object) -> BadgeExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return BadgeExtension(**settings)

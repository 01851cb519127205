"""Each row of a table of errors on a page is provoked by a test, which names it: `mark.row`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs"
_ERROR = re.compile(r"`-?(E[A-Z0-9]+)`")
_TABLE = re.compile(r"\| (?:`errno`|returned) \| when ")


@dataclass(frozen=True)
class Row:
    """A row: its page, by name, the error, and when it comes."""

    page: str
    error: str
    when: str


@dataclass(frozen=True)
class Claim:
    """A test that says which row it provokes, and what it is made of."""

    test: str
    page: str
    words: str
    text: str


def rows() -> Iterator[Row]:
    """Read the tables of all pages."""
    for path in sorted(PAGES.rglob("*.md")):
        inside = False
        for line in path.read_text(encoding="utf-8").splitlines():
            inside = line.startswith("|") and (inside or _TABLE.match(line) is not None)
            if inside and (error := _ERROR.match(line.removeprefix("| "))):
                yield Row(path.stem, error[1], line.split(" | ")[1])


def claims() -> Iterator[Claim]:
    """Read the marks of all tests, also of those that this run has not collected."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                text = "\n".join(ast.unparse(part) for part in (*node.decorator_list, *node.body))
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.row":
                        page, words = map(ast.literal_eval, mark.args)
                        yield Claim(f"{path.name}::{node.name}", page, words, text)


ROWS, CLAIMS = list(rows()), list(claims())


def claimed(claim: Claim) -> list[Row]:
    """Return the rows that a claim is about."""
    return [row for row in ROWS if row.page == claim.page and claim.words in row.when]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.page}-{row.error}" for row in ROWS])
def test_a_test_provokes_it(row: Row) -> None:
    """A row that no test claims is a claim of the page's alone."""
    tests = [claim.test for claim in CLAIMS if row in claimed(claim)]
    assert tests, f"mark the test that provokes it: @pytest.mark.row({row.page!r}, {row.when!r})"


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.test for claim in CLAIMS])
def test_its_row_is_there(claim: Claim) -> None:
    """A test's mark names one row, and the test looks for that row's error."""
    found = claimed(claim)
    assert len(found) == 1, f"{claim.words!r} is in {len(found)} rows of {claim.page}"
    error = found[0].error
    assert re.search(rf"\berrno\.{error}\b", claim.text), f"{claim.test} knows nothing of {error}"


def test_the_pages_have_such_tables() -> None:
    """The tables are found: there are at least as many rows as pages with one."""
    assert {"user_ring_buffer__new", "user_ring_buffer__reserve", "bpf_user_ringbuf_drain"} <= {
        row.page for row in ROWS
    }

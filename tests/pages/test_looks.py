"""The built site as a reader has it: light pages, and words that explain themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.browser import Reader, reading

KILOBYTES = 100


@pytest.fixture(scope="module")
def reader(site: Path) -> Iterator[Reader]:
    """A browser on the built site."""
    with reading(site) as one:
        yield one


def test_no_page_is_heavy(site: Path) -> None:
    """The HTML of each page is less than 100 KB."""
    sizes = {path.relative_to(site): path.stat().st_size for path in site.rglob("*.html")}
    assert {str(path): size for path, size in sizes.items() if size > KILOBYTES * 1000} == {}


def test_words_explain_themselves_without_a_mouse(reader: Reader) -> None:
    """The first dotted word of a page is reached with the keyboard, and shows what it means."""
    with reader.visit("guides/how-the-ring-works/") as page:
        word = page.locator("article abbr[tabindex='0']").first
        word.focus()
        page.wait_for_selector(".md-tooltip2--active")
        meaning = page.locator(".md-tooltip2--active").inner_text()
    glossary = (Path(__file__).parent.parent.parent / "includes/abbreviations.md").read_text()
    assert meaning.strip() in glossary

"""The looks of the built site in a browser: nothing overflows, breaks, fails or leaves the host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Reader, reading

KILOBYTES = 100
_OVERFLOWING = """() => [...document.querySelectorAll('article .language-console pre > code')]
    .filter(code => code.offsetParent && code.scrollWidth > code.clientWidth)
    .map(code => code.textContent.slice(0, 200))"""
# Code that a line break falls into has more boxes than one.
_BROKEN = """() => [...document.querySelectorAll('article td code, article th code')]
    .filter(code => code.offsetParent && code.getClientRects().length > 1)
    .map(code => code.textContent)"""
# By hand: the theme would remember each choice, and scroll to it.
_CHOOSE = """n => document.querySelectorAll('.tabbed-set').forEach(set => {
    const tab = set.querySelectorAll(':scope > input')[n];
    if (tab) tab.checked = true })"""
_CUT = """() => [...document.querySelectorAll('.md-sidebar--primary .md-ellipsis')]
    .filter(name => name.offsetParent && name.scrollWidth > name.clientWidth)
    .map(name => name.textContent.trim())"""


@pytest.fixture(scope="module")
def reader(site: Path) -> Iterator[Reader]:
    """A browser on the built site."""
    with reading(site) as one:
        yield one


def ask(reader: Reader, width: int, **scripts: str) -> dict[str, list[str]]:
    """Ask questions on every page, with each tab of its sets chosen in turn."""
    answers: dict[str, set[str]] = {name: set() for name in scripts}
    with reader.context(viewport={"width": width, "height": 900}) as context:
        for path in reader.paths:
            page = reader.open(context, path)
            tabs = page.locator(".tabbed-set > input").count()
            for nth in range(min(tabs, 4) or 1):
                page.evaluate(_CHOOSE, nth)
                for name, script in scripts.items():
                    answers[name] |= {f"{path or 'home'}: {each}" for each in page.evaluate(script)}
            page.close()
    return {name: sorted(found) for name, found in answers.items()}


def test_nothing_is_cut_on_a_laptop(reader: Reader) -> None:
    """At 1440 pixels no console block has to be scrolled, and the navigation shows whole names."""
    assert ask(reader, 1440, overflowing=_OVERFLOWING, cut=_CUT) == {"overflowing": [], "cut": []}


def test_no_code_in_a_table_is_broken_on_a_phone(reader: Reader) -> None:
    """At 390 pixels a table scrolls, and its names stay in one piece."""
    assert ask(reader, 390, broken=_BROKEN) == {"broken": []}


def test_every_page_is_quiet_and_stays_on_its_host(reader: Reader) -> None:
    """No page asks another host for anything, and none has an error or a warning in the console."""
    asked: list[str] = []
    said: list[str] = []
    with reader.context() as context:
        for path in reader.paths:
            page = context.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on(
                "console",
                lambda words: said.append(words.text) if words.type != "log" else None,
            )
            page.goto(f"{reader.url}{path}", wait_until="networkidle")
            page.close()
    assert len(asked) >= len(reader.paths) > 10
    assert [url for url in asked if not url.startswith((reader.url, "data:", "blob:"))] == []
    assert said == []


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
    glossary = (Path(__file__).parent.parent / "includes/abbreviations.md").read_text()
    assert meaning.strip() in glossary

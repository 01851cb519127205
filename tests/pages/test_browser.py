"""The site in a browser: what a reader copies, what the pages remember, and who can read them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from proof.example.commands import read_console
from proof.example.comparison import align, decode
from proof.page.pages import open_pages
from proof.run.shell import repeat
from tests.pages.browser import Reader, reading
from tests.proof.scratch import chosen as kernel

ROOT = Path(__file__).parent.parent.parent
PAGE = "ebpf-library/libbpf/userspace/user_ring_buffer__reserve_blocking/"


@pytest.fixture(scope="module")
def reader(site: Path) -> Iterator[Reader]:
    """A browser on the built site."""
    with reading(site) as one:
        yield one


def copy(page: Page, block: Locator) -> str:
    """Click a block's copy button and return what the clipboard then holds."""
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    block.hover()
    block.locator("button.md-code__button[data-md-type=copy], button.md-clipboard").click()
    page.wait_for_function("navigator.clipboard.readText().then(t => t != 'nothing was copied')")
    return str(page.evaluate("navigator.clipboard.readText()")).replace("\r\n", "\n")


def visible_blocks(page: Page) -> Iterator[Locator]:
    """Yield the blocks of code of the tabs that are chosen."""
    for block in page.locator("article .highlight:has(> pre), article td.code .highlight").all():
        if block.is_visible():
            yield block


def choose(page: Page, label: str) -> None:
    """Choose a tab by its label, in the first set of tabs that has it and in those linked to it."""
    page.locator(".tabbed-labels > label").get_by_text(label, exact=True).first.click()


@pytest.mark.parametrize("label", ["C", "Python"])
def test_what_the_copy_buttons_give_is_the_example(reader: Reader, label: str) -> None:
    """Files and commands, pasted into an empty directory, print what the page shows."""
    files: dict[str, str] = {}
    commands: list[str] = []
    with reader.visit(PAGE) as page:
        for tab in ("BPF C", label):
            choose(page, tab)
            for block in visible_blocks(page):
                title = block.locator("span.filename")
                if title.count():
                    files[title.inner_text()] = copy(page, block) + "\n"
                elif tab == label:
                    commands.append(copy(page, block))
    assert commands
    (done,) = repeat(files, ["\n".join(commands)], kernel()).outcomes
    printed = decode(done.output)
    assert done.status == 0, printed
    source = open_pages(ROOT / "mkdocs.yml").page(f"docs/{PAGE.rstrip('/')}.md")
    shown = [
        line
        for block in source.blocks
        if block.language == "console" and block.tabs[-1].label == label
        for command in read_console(block)
        for line in command.shown
    ]
    assert shown
    assert not [s for s in align(shown, printed) if s.mark != " "], printed


def test_a_console_block_is_whole_without_javascript(reader: Reader) -> None:
    """Prompts and output are there for a reader without JavaScript, and no button that is dead."""
    with reader.browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(reader.url + PAGE)
        text = page.locator(".language-console pre").first.inner_text()
        assert text.startswith("$ clang")
        assert "a sample at once" in text
        assert page.locator("article button").count() == 0


def test_the_language_is_remembered(reader: Reader) -> None:
    """A tab chosen once is chosen in every set, and after a reload."""
    with reader.context() as context:
        page = reader.open(context, PAGE)
        chosen = ".tabbed-set > input:checked"
        for label in ("C", "Python"):
            choose(page, label)
            for again in (False, True):
                if again:
                    page.reload()
                    reader.ready(page)
                assert labels(page, chosen) == {label}


def labels(page: Page, chosen: str) -> set[str]:
    """The labels of the tabs that are chosen."""
    return set(
        page.evaluate(
            "s => [...document.querySelectorAll(s)].map("
            "i => document.querySelector(`label[for='${i.id}']`).textContent.trim())",
            chosen,
        )
    )


def faults(page: Page, **options: object) -> Iterator[str]:
    """Ask axe what is wrong with a page; passes are not handed over, which would take long."""
    result = Axe().run(page, options={"resultTypes": ["violations"], **options})
    for violation in result.response["violations"]:
        for node in violation["nodes"]:
            summary = " ".join(node["failureSummary"].split())
            yield f"{violation['id']}: {node['html'][:160]} ({summary[:300]})"


def test_axe_finds_what_is_wrong(reader: Reader) -> None:
    """The check of accessibility fails for an image without words and for pale text."""
    with reader.visit() as page:
        page.evaluate(
            "document.querySelector('article').innerHTML +="
            ' \'<img src="x.png"><p style="color: #ddd; background: #fff">pale</p>\''
        )
        found = {fault.partition(":")[0] for fault in faults(page)}
        page.emulate_media(color_scheme="dark")
        page.wait_for_selector("body[data-md-color-scheme=slate]")
        dark = {fault.partition(":")[0] for fault in faults(page, runOnly=["color-contrast"])}
    assert {"image-alt", "color-contrast"} <= found
    assert dark == {"color-contrast"}


def test_every_page_is_as_it_should_be(site: Path) -> None:
    """On every page each button copies what the page holds, and the language chosen once is chosen.

    Axe finds nothing in light or dark. At 360 pixels nothing is wider than the screen, at 390 no
    name in a table is broken and no table is cut, and at 1440 no command and no name in the
    navigation is cut. Nothing is asked of another host, or complains in the console.
    """
    command = [sys.executable, "-m", "tests.pages.sweep", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    swept = json.loads(done.stdout)
    assert len(swept["visited"]) + swept["known"] >= 15
    wrong = [f"{path or 'home'}: {each}" for path, all_ in swept["wrong"].items() for each in all_]
    assert not wrong, "\n".join(wrong)

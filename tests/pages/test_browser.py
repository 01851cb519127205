"""The site in a browser: what a reader copies, what the pages remember, and who can read them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from proof.example.commands import read_console
from proof.example.comparison import align
from proof.page.site import open_site
from proof.run.shell import environment
from tests.pages.browser import Reader, reading
from tests.proof.scratch import chosen as kernel

ROOT = Path(__file__).parent.parent.parent
PAGE = "ebpf-library/libbpf/userspace/user_ring_buffer__reserve_blocking/"
_OVERFLOW = """() => [...document.querySelectorAll('body *')].filter(e =>
    e.getBoundingClientRect().right > innerWidth + 1 && e.offsetParent &&
    !e.closest('.md-sidebar, .md-search, .md-typeset__scrollwrap, pre, .md-skip')
).map(e => e.outerHTML.slice(0, 120))"""


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
def test_what_the_copy_buttons_give_is_the_example(
    reader: Reader, tmp_path: Path, label: str
) -> None:
    """Files and commands, pasted into an empty directory, print what the page shows."""
    example, bin_ = tmp_path / "example", tmp_path / "bin"
    example.mkdir()
    bin_.mkdir()
    commands: list[str] = []
    with reader.visit(PAGE) as page:
        for tab in ("BPF C", label):
            choose(page, tab)
            for block in visible_blocks(page):
                title = block.locator("span.filename")
                if title.count():
                    (example / title.inner_text()).write_text(copy(page, block) + "\n")
                elif tab == label:
                    commands.append(copy(page, block))
    assert commands
    with kernel().session(bin_, example):
        done = subprocess.run(
            ["bash", "--norc", "-c", "\n".join(commands)],
            cwd=example,
            env=environment(bin_, "browser"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    source = open_site(ROOT / "mkdocs.yml").page(f"docs/{PAGE.rstrip('/')}.md")
    shown = [
        line
        for block in source.blocks
        if block.language == "console" and block.tabs[-1].label == label
        for command in read_console(block)
        for line in command.shown
    ]
    assert shown
    assert not [s for s in align(shown, done.stdout.splitlines()) if s.mark != " "], done.stdout


# Clicks the copy button of a block, in whatever tab or box it is, and reads the clipboard.
_COPY = """async (block) => {
  for (let tab = block.closest('.tabbed-block'); tab;
       tab = tab.parentElement.closest('.tabbed-block')) {
    const number = [...tab.parentElement.children].indexOf(tab);
    tab.closest('.tabbed-set').querySelectorAll(':scope > input')[number].click();
  }
  for (let box = block.closest('details'); box; box = box.parentElement.closest('details')) {
    box.open = true;
  }
  let button;
  const late = Date.now() + 10000;
  while (!(button = block.querySelector('button.md-code__button[data-md-type=copy]'))) {
    if (Date.now() > late) throw new Error('no copy button: ' + block.textContent);
    await new Promise(requestAnimationFrame);
  }
  await navigator.clipboard.writeText('nothing was copied');
  button.click();
  return navigator.clipboard.readText();
}"""


def test_every_copy_button_gives_what_the_page_holds(reader: Reader) -> None:
    """On every page each button copies its file as it is, or the commands without the rest."""
    site = open_site(ROOT / "mkdocs.yml")
    seen = 0
    with reader.context() as context:
        for path in site.paths():
            blocks = site.page(path).blocks
            if not blocks or not path.startswith("docs/"):
                continue
            page = reader.open(context, address(path))
            pieces = page.query_selector_all("article .highlight:has(> pre):not(.doc *)")
            assert len(pieces) == len(blocks), path
            for piece, block in zip(pieces, blocks, strict=True):
                page.mouse.click(2, 400)  # for some seconds, a script may copy for its reader
                copied = piece.evaluate(_COPY)
                wanted = block.text
                if block.language == "console":
                    wanted = "\n".join(command.text for command in read_console(block))
                assert copied == wanted.rstrip(), block.start
                seen += 1
            page.close()
    assert seen >= 5


def address(path: str) -> str:
    """Where the site has a page of docs/."""
    return path.removeprefix("docs/").removesuffix("index.md").removesuffix(".md") + (
        "" if path.endswith("index.md") else "/"
    )


def test_a_console_block_is_whole_without_javascript(reader: Reader) -> None:
    """Prompts and output are there for a reader without JavaScript, and no button that is dead."""
    with reader.browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(reader.url + PAGE)
        text = page.locator(".language-console pre").first.inner_text()
        assert text.startswith("$ clang")
        assert "a sample after 0.0 s" in text
        assert page.locator("article button").count() == 0


def test_the_language_is_remembered(reader: Reader) -> None:
    """A tab chosen once is chosen in every set, after a reload, and on other pages."""
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
        others = [path for path in reader.paths if path != PAGE]
        for path in others:
            other = reader.open(context, path)
            assert labels(other, chosen) <= {"Python"} | only_choice(other), path
            other.close()


def labels(page: Page, chosen: str) -> set[str]:
    """The labels of the tabs that are chosen."""
    return set(
        page.evaluate(
            "s => [...document.querySelectorAll(s)].map("
            "i => document.querySelector(`label[for='${i.id}']`).textContent.trim())",
            chosen,
        )
    )


def only_choice(page: Page) -> set[str]:
    """The labels of sets of tabs that have none for Python."""
    return set(
        page.evaluate(
            "() => [...document.querySelectorAll('.tabbed-set > .tabbed-labels')].filter("
            "l => ![...l.children].some(c => c.textContent.trim() == 'Python')).flatMap("
            "l => [...l.children].map(c => c.textContent.trim()))"
        )
    )


def faults(page: Page, **options: object) -> Iterator[str]:
    """Ask axe what is wrong with a page; passes are not handed over, which would take long."""
    result = Axe().run(page, options={"resultTypes": ["violations"], **options})
    for violation in result.response["violations"]:
        for node in violation["nodes"]:
            summary = " ".join(node["failureSummary"].split())
            yield f"{violation['id']}: {node['html'][:160]} ({summary[:300]})"


def test_every_page_is_accessible_in_both_schemes(reader: Reader) -> None:
    """Axe finds nothing wrong with any page; the system's wish decides on light or dark."""
    found: list[str] = []
    with reader.context(color_scheme="light", reduced_motion="reduce") as context:
        for path in reader.paths:
            page = reader.open(context, path)
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            found += [f"{path or 'home'}: light: {fault}" for fault in faults(page)]
            page.emulate_media(color_scheme="dark")
            page.wait_for_selector("body[data-md-color-scheme=slate]")
            # Of all rules only those on colours can find something else now.
            colours = {"runOnly": ["color-contrast", "link-in-text-block"]}
            found += [f"{path or 'home'}: dark: {fault}" for fault in faults(page, **colours)]
            page.close()
    assert not found, "\n".join(found)


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


def test_no_page_scrolls_sideways_on_a_phone(reader: Reader) -> None:
    """At 360 pixels each page is as wide as the screen; only tables and code scroll inside."""
    wide: list[str] = []
    with reader.context(viewport={"width": 360, "height": 740}, is_mobile=True) as context:
        for path in reader.paths:
            page = reader.open(context, path)
            width = page.evaluate("document.scrollingElement.scrollWidth")
            if width > 360 or (over := page.evaluate(_OVERFLOW)):
                wide.append(f"{path or 'home'}: {width}: {over if width <= 360 else ''}")
            page.close()
    assert not wide, "\n".join(wide)

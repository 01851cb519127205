"""Every page of the built site in Chromium, each visited once: `python -m tests.pages.sweep SITE`.

It prints what it found wrong, by page, as JSON. Several pages are open at a time. Pages that have
not changed since they were last found right are passed over, unless CI is set.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, async_playwright

from proof.example.commands import read_console
from proof.page.blocks import Block
from proof.page.pages import open_pages
from tests.pages.browser import ARGUMENTS, chromium, paths_of, serving

ROOT = Path(__file__).parent.parent.parent
KNOWN = ROOT / ".cache/swept.json"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 720}
LAPTOP = {"width": 1440, "height": 900}
SMALL = {"width": 390, "height": 900}
# The last work of the theme's script on a block of code is its copy button.
READY = """() => !document.querySelector('.highlight pre > code') ||
    document.querySelector('.md-code__button, .md-clipboard')"""

# Clicks the copy button of a block, in whatever tab or box it is, and reads the clipboard.
COPY = """async (block) => {
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
  if (!block.checkVisibility({visibilityProperty: true, opacityProperty: true})) {
    throw new Error('no reader sees this: ' + block.textContent);
  }
  await navigator.clipboard.writeText('nothing was copied');
  button.click();
  return navigator.clipboard.readText();
}"""

# The labels of the tabs that are chosen, but for sets that have no such tab.
CHOSEN = """label => [...document.querySelectorAll('.tabbed-set')].filter(
  set => [...set.querySelectorAll(':scope > .tabbed-labels > label')].some(
    l => l.textContent.trim() == label)
).map(set => set.querySelector(':scope > input:checked')).map(
  input => document.querySelector(`label[for='${input.id}']`).textContent.trim())"""

OVERFLOW = """() => [...document.querySelectorAll('body *')].filter(e =>
    e.getBoundingClientRect().right > innerWidth + 1 && e.offsetParent &&
    !e.closest('.md-sidebar, .md-search, .md-typeset__scrollwrap, pre, .md-skip')
).map(e => e.outerHTML.slice(0, 120))"""


OVERFLOWING = """() => [...document.querySelectorAll('article .language-console pre > code')]
    .filter(code => code.offsetParent && code.scrollWidth > code.clientWidth)
    .map(code => code.textContent.slice(0, 200))"""

CUT = """() => [...document.querySelectorAll('.md-sidebar--primary .md-ellipsis')]
    .filter(name => name.offsetParent && name.scrollWidth > name.clientWidth)
    .map(name => name.textContent.trim())"""

# Code that a line break falls into has more boxes than one.
BROKEN = """() => [...document.querySelectorAll('article td code, article th code')]
    .filter(code => code.offsetParent && code.getClientRects().length > 1)
    .map(code => code.textContent)"""

# What is wider than a phone is drawn as a list, except where columns are what is to be compared.
WIDE = """() => { dispatchEvent(new Event('resize'));
    return [...document.querySelectorAll('article .md-typeset__scrollwrap')]
        .filter(wrap => wrap.offsetParent && !wrap.closest('.kernels, .proof') &&
            wrap.scrollWidth > wrap.clientWidth + 1)
        .map(wrap => wrap.textContent.slice(0, 120)) }"""

# By hand: the theme would remember each choice, and scroll to it.
CHOOSE = """n => document.querySelectorAll('.tabbed-set').forEach(set => {
    const tab = set.querySelectorAll(':scope > input')[n];
    if (tab) tab.checked = true })"""


class Sweep:
    """Visits pages.

    Args:
        site: The built site.
        url: Where it is served.
    """

    def __init__(self, site: Path, url: str) -> None:
        self._url = url
        self._blocks = {page: blocks for page, blocks in _blocks() if blocks}
        self._clipboard = asyncio.Lock()  # there is one for all pages
        self._site = site

    async def visit(self, context: BrowserContext, path: str) -> list[str]:
        """Look at one page; return what is wrong with it."""
        async with self._opened(context, path) as (page, found):
            if other := set(await page.evaluate(CHOSEN, "Python")) - {"Python"}:
                found.append(f"language: Python was chosen before, and here {other} is")
            await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            found += [f"light: {fault}" async for fault in _faults(page)]
            await page.emulate_media(color_scheme="dark")
            await page.wait_for_selector("body[data-md-color-scheme=slate]")
            # Of all rules only those on colours can find something else now.
            colours = {"runOnly": ["color-contrast", "link-in-text-block"]}
            found += [f"dark: {fault}" async for fault in _faults(page, **colours)]
            found += [f"{each}" async for each in self._cut(page)]
            await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            width = await page.evaluate("document.scrollingElement.scrollWidth")
            if width > PHONE["width"] or (over := await page.evaluate(OVERFLOW)):
                found.append(f"phone: {width} pixels: {over if width <= PHONE['width'] else ''}")
            # Last, as it opens boxes, shows messages, and chooses tabs, which other pages remember.
            await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
            remembered = await page.evaluate("({...localStorage})")
            found += [f"copying: {each}" async for each in self._copies(page, path)]
            await page.evaluate("kept => Object.assign(localStorage, kept)", remembered)
            return found

    async def _cut(self, page: Page) -> AsyncIterator[str]:
        """Yield what is cut on a laptop, and names that are broken on a phone, under every tab."""
        tabs = await page.locator(".tabbed-set > input").count()
        for nth in range(min(tabs, 4) or 1):
            await page.evaluate(CHOOSE, nth)
            for what, viewport, script in (
                ("cut on a laptop", LAPTOP, OVERFLOWING),
                ("cut on a laptop", LAPTOP, CUT),
                ("broken on a phone", SMALL, BROKEN),
                ("too wide for a phone", SMALL, WIDE),
            ):
                await page.set_viewport_size(viewport)  # type: ignore[arg-type]
                for text in await page.evaluate(script):
                    yield f"{what}: {text}"

    @asynccontextmanager
    async def _opened(
        self, context: BrowserContext, path: str
    ) -> AsyncIterator[tuple[Page, list[str]]]:
        found: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                found.append(f"console: {message.text}")

        def asked(request: Request) -> None:
            if not request.url.startswith((self._url, "data:", "blob:")):
                found.append(f"request: {request.url}")

        page = await context.new_page()
        page.on("console", heard)
        page.on("request", asked)
        page.on("pageerror", lambda error: found.append(f"console: {error}"))
        try:
            await page.goto(self._url + path)
            await page.wait_for_selector("html.js, html:not(.no-js)", state="attached")
            await page.wait_for_function(READY)
            yield page, found
        finally:
            await page.close()

    async def _copies(self, page: Page, path: str) -> AsyncIterator[str]:
        blocks = self._blocks.get(path, ())
        pieces = await page.query_selector_all("article .highlight:has(> pre):not(.doc *)")
        if len(pieces) != len(blocks):
            yield f"{len(pieces)} blocks have a button, and the engine sees {len(blocks)}"
            return
        for piece, block in zip(pieces, blocks, strict=True):
            async with self._clipboard:
                await page.bring_to_front()
                await page.mouse.click(2, 400)  # for some seconds, a script may copy for its reader
                copied = await piece.evaluate(COPY)
            if copied != _wanted(block):
                yield f"{block.start}: the button gives {copied!r}"

    async def choose_python(self, context: BrowserContext) -> None:
        """Choose the tab for Python, as a reader does once."""
        path = next(p for p, blocks in self._blocks.items() if any(map(_is_python, blocks)))
        async with self._opened(context, path) as (page, _):
            labels = page.locator(".tabbed-labels > label")
            await labels.get_by_text("Python", exact=True).first.click()


def _is_python(block: Block) -> bool:
    return any(tab.label == "Python" for tab in block.tabs)


def _wanted(block: Block) -> str:
    if block.language == "console":
        return "\n".join(command.text for command in read_console(block)).rstrip()
    return block.text.rstrip()


def _blocks() -> Iterable[tuple[str, tuple[Block, ...]]]:
    site = open_pages(ROOT / "mkdocs.yml")
    for page in site.paths():
        if page.startswith(f"{site.docs}/"):
            inside = page.removeprefix(f"{site.docs}/").removesuffix(".md")
            inside = inside.removesuffix("index")
            yield (
                inside if inside == "" or inside.endswith("/") else f"{inside}/",
                site.page(page).blocks,
            )


async def _faults(page: Page, **options: object) -> AsyncIterator[str]:
    """Ask axe what is wrong; passes are not handed over, which would take long."""
    result = await Axe().run(page, options={"resultTypes": ["violations"], **options})
    for violation in result.response["violations"]:
        for node in violation["nodes"]:
            summary = " ".join(node["failureSummary"].split())
            yield f"{violation['id']}: {node['html'][:160]} ({summary[:300]})"


async def sweep(site: Path, url: str, paths: Iterable[str]) -> dict[str, list[str]]:
    """Visit pages; return what is wrong with each."""
    found: dict[str, list[str]] = {}
    left = list(paths)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        sweeper = Sweep(site, url)

        async def work() -> None:
            context = await browser.new_context(
                color_scheme="light",
                reduced_motion="reduce",
                viewport=DESKTOP,  # type: ignore[arg-type]
                permissions=["clipboard-read", "clipboard-write"],
            )
            context.set_default_timeout(30_000)
            await sweeper.choose_python(context)
            while left:
                path = left.pop()
                found[path] = await sweeper.visit(context, path)
            await context.close()

        async with asyncio.TaskGroup() as workers:
            for _ in range(min(len(left), len(os.sched_getaffinity(0)))):
                workers.create_task(work())
        await browser.close()
    return found


def digests(site: Path) -> dict[str, str]:
    """Return, by page, a hash of all that decides what this finds there."""
    shared = sha256()
    engine = [*(ROOT / "proof").rglob("*.py"), *Path(__file__).parent.glob("*.py")]
    assets = [path for path in (site / "assets").rglob("*") if path.is_file()]
    for path in sorted([*engine, *assets]):
        shared.update(f"{path}\0".encode() + path.read_bytes())
    return {
        path: sha256(shared.digest() + (site / path / "index.html").read_bytes()).hexdigest()
        for path in paths_of(site)
    }


def main(site: Path) -> None:
    """Sweep a site, and remember what was right."""
    now = digests(site)
    known: dict[str, str] = {}
    if KNOWN.exists() and not os.environ.get("CI"):
        known = json.loads(KNOWN.read_text(encoding="utf-8"))
    wanted = [path for path, digest in now.items() if known.get(path) != digest]
    found: dict[str, list[str]] = {}
    if wanted:
        with serving(site) as url:
            found = asyncio.run(sweep(site, url, wanted))
    right = {path: digest for path, digest in now.items() if not found.get(path)}
    KNOWN.parent.mkdir(exist_ok=True)
    KNOWN.write_text(json.dumps(right, indent=1), encoding="utf-8")
    print(json.dumps({"visited": wanted, "known": len(now) - len(wanted), "wrong": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

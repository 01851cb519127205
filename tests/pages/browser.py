"""A headless Chromium, the system's, on the built site, served on this machine."""

from __future__ import annotations

import contextlib
import functools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Say nothing."""


@dataclass(frozen=True)
class Reader:
    """Who looks at the site.

    Attributes:
        browser: The browser.
        url: Where the site is, with a slash at the end.
        paths: The pages, relative to that.
    """

    browser: Browser
    url: str
    paths: list[str]

    @contextlib.contextmanager
    def visit(self, path: str = "", **settings: object) -> Iterator[Page]:
        """Open a page in a window of its own, which remembers nothing of others."""
        with self.context(**settings) as context:
            yield self.open(context, path)

    @contextlib.contextmanager
    def context(self, **settings: object) -> Iterator[BrowserContext]:
        """Open a window, whose pages share what they remember."""
        context = self.browser.new_context(**settings)  # type: ignore[arg-type]
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(20_000)
        try:
            yield context
        finally:
            context.close()

    def open(self, context: BrowserContext, path: str) -> Page:
        """Open a page, and wait until the theme's script has done its work on it."""
        page = context.new_page()
        page.goto(self.url + path)
        self.ready(page)
        return page

    def ready(self, page: Page) -> None:
        """Wait for the theme's script; its last work on a block of code is its copy button."""
        page.wait_for_selector("html.js, html:not(.no-js)", state="attached")
        if page.locator(".highlight pre > code").count():
            page.wait_for_selector(".md-code__button, .md-clipboard", state="attached")


def chromium() -> str:
    """Return the path of the system's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "chromium is not installed: make setup"
    return found


def paths_of(site: Path) -> list[str]:
    """Return the pages of a built site, relative to where it is served."""
    found = (html.parent.relative_to(site).as_posix() for html in site.rglob("index.html"))
    return sorted(f"{path}/".removeprefix("./") for path in found)


@contextlib.contextmanager
def serving(site: Path) -> Iterator[str]:
    """Serve a built site; yield where, with a slash at the end."""
    handler = functools.partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def reading(site: Path) -> Iterator[Reader]:
    """Serve a built site and start a browser."""
    with serving(site) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield Reader(browser, url, paths_of(site))
        browser.close()

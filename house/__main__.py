"""The command line: `python -m house SITE` adds to a built site what robots and models read.

These are `robots.txt`, `llms.txt` (a list of the pages), and each page as Markdown beside its HTML:
`guides/asyncio/index.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import get_files
from mkdocs.structure.nav import Navigation, get_navigation
from mkdocs.structure.pages import Page

from house.plain import plain


def main(arguments: list[str] | None = None) -> int:
    """Write the files; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m house", description=__doc__)
    parser.add_argument("site", type=Path, help="the built site")
    site = parser.parse_args(arguments).site
    config = load_config("mkdocs.yml")
    url = config["site_url"]
    (site / "robots.txt").write_text(
        f"User-agent: *\nAllow: /\nSitemap: {url}sitemap.xml\n", encoding="utf-8"
    )
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    for page in _navigation(config).pages:
        page.read_source(config)
        target = f"{page.url}index.md"
        (site / target).write_text(plain(page, Path.cwd()), encoding="utf-8")
        lines.append(f"- [{_title(page)}]({url}{target}): {page.meta.get('description', '')}")
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _navigation(config: MkDocsConfig) -> Navigation:
    return get_navigation(get_files(config), config)


def _title(page: Page) -> str:
    # Pages of one family have titles of one kind: the name in the navigation is shorter.
    return str(page.title or page.url)


if __name__ == "__main__":
    sys.exit(main())

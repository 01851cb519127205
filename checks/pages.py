"""Built site to pages: the article of each HTML file, and the Markdown that it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bs4 import BeautifulSoup, Tag


@dataclass(frozen=True)
class Page:
    """A page of the built site.

    Attributes:
        html: Its file.
        source: The Markdown file that it was made from, or None if no author wrote it (404.html).
    """

    html: Path
    source: Path | None

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The whole of it, parsed."""
        return BeautifulSoup(self.html.read_text(encoding="utf-8"), "html.parser")

    @cached_property
    def article(self) -> Tag:
        """The part that its author wrote; empty if the page has no such part."""
        return self.soup.find("article") or self.soup.new_tag("article")

    @cached_property
    def ids(self) -> frozenset[str]:
        """What a link with an anchor may lead to."""
        tags = self.soup.find_all(lambda tag: tag.has_attr("id") or tag.has_attr("name"))
        return frozenset(str(tag.get("id") or tag.get("name")) for tag in tags)

    def where(self, *texts: str) -> str:
        """Name the first place in the source that has one of some texts, or else the page."""
        if self.source is None:
            return str(self.html)
        lines = self.source.read_text(encoding="utf-8").splitlines()
        for text in texts:
            for number, line in enumerate(lines, 1):
                if text and text in line:
                    return f"{self.source}:{number}"
        return str(self.source)


def pages(site: Path, docs: Path) -> Iterator[Page]:
    """Find the pages of a built site.

    Args:
        site: The site.
        docs: The Markdown files that it was made from.
    """
    for html in sorted(site.rglob("*.html")):
        name = html.relative_to(site)
        stem = name.parent if name.name == "index.html" else name.with_suffix("")
        candidates = [docs / stem / "index.md", docs / f"{stem}.md"]
        yield Page(html, next((path for path in candidates if path.is_file()), None))

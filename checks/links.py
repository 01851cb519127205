"""Links: every link within the site leads to an existing file, and to an anchor in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from checks.pages import Page


def broken_links(pages: Sequence[Page], site: Path) -> Iterator[str]:
    """Name the links and images within the site that lead nowhere."""
    by_file = {page.html.resolve(): page for page in pages}
    for page in pages:
        if page.source is None:
            continue
        said: set[str] = set()
        for tag in page.soup.select("a[href], img[src], script[src], link[href]"):
            target = str(tag.get("href") or tag.get("src"))
            if target not in said and (fault := _fault(target, page, site, by_file)):
                said.add(target)
                place = page.where(
                    Path(urlsplit(target).path).stem or target, tag.get_text().strip()
                )
                yield f"{place}: the link {target!r} {fault}"


def _fault(target: str, page: Page, site: Path, by_file: dict[Path, Page]) -> str | None:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    file = (page.html.parent / unquote(parts.path)).resolve() if parts.path else page.html.resolve()
    if parts.path.startswith("/"):
        return "begins with a slash, and the site may not be served from the root"
    if file.is_dir():
        file /= "index.html"
    if not file.is_file() or not file.is_relative_to(site.resolve()):
        return "leads to no page or file of the site"
    anchor = unquote(parts.fragment)
    if anchor and file in by_file and anchor not in by_file[file].ids | {"__skip"}:
        return "leads to no such anchor on the page"
    return None

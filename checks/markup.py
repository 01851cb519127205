"""Markup: the theme knows each admonition, images have alternative text, no syntax is left over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bs4 import Tag

from checks.pages import Page

_OWN_DETAILS = frozenset({"proof"})
"""Boxes to unfold that are not admonitions: the badge of an example."""

_LEFT_OVER = re.compile(r"^\s*(?:!!!|\?\?\?\+?|===|:::|--8<--)\s*\S|\[\w[^\]]*\]\[[^\]]*\]|<!--")
_PLACEHOLDER = re.compile(
    r"(?i)\b(?:TODO|TBD|FIXME|XXX|lorem ipsum|coming soon|under construction|could be improved"
    r"|to be (?:written|done))\b"
)


def admonition_types(site: Path) -> frozenset[str]:
    """Read the types of admonition that the theme can draw from its style sheet."""
    sheets = (site / "assets/stylesheets").glob("main.*.css")
    text = "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    return frozenset(re.findall(r"\.md-typeset (?:details)?\.([a-z]+)\s*>\s*summary", text))


def unknown_admonitions(page: Page, types: frozenset[str]) -> Iterator[str]:
    """Name the admonitions that the theme would draw as if they had no type."""
    for box in page.article.select(".admonition, details"):
        if box.find_parent(class_="doc"):
            continue  # made by the API reference
        classes = {str(name) for name in box.get_attribute_list("class") if name}
        if classes & (types | (_OWN_DETAILS if box.name == "details" else frozenset())):
            continue
        unknown = " ".join(sorted(classes - {"admonition"})) or "none"
        marks = "!!!" if box.name == "div" else "???"
        yield f"{page.where(f'{marks} {unknown}')}: no such type of admonition: {unknown}"


def images_without_words(page: Page) -> Iterator[str]:
    """Name the images that tell nothing to a reader who cannot see them."""
    for image in page.article.find_all("img"):
        if not str(image.get("alt") or "").strip():
            name = str(image.get("src"))
            yield f"{page.where(Path(name).name)}: the image {name!r} has no alternative text"
    for image in page.article.find_all("svg"):
        if not (_is_icon(image) or image.get("aria-label") or image.find("title")):
            yield f"{page.where('<svg')}: a drawing has no aria-label and no title"


def _is_icon(image: Tag) -> bool:
    return image.find_parent(class_="twemoji") is not None or image.find_parent("a") is not None


def left_overs(page: Page) -> Iterator[str]:
    """Name lines that should have been markup, and placeholders."""
    for paragraph in page.article.select("p, li, td, h1, h2, h3, h4, h5, h6"):
        text = _text(paragraph)
        if found := _LEFT_OVER.search(text):
            yield f"{page.where(found[0].strip())}: text, and no markup: {found[0].strip()!r}"
        if found := _PLACEHOLDER.search(text):
            yield f"{page.where(found[0])}: a placeholder: {found[0]!r}"


def _text(tag: Tag) -> str:
    return "".join(str(s) for s in tag.strings if not s.find_parent(["code", "pre"]))

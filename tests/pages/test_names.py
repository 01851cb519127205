"""The API reference: every name in a docstring is a link to where it is explained."""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup

from house.names import places


def test_every_name_in_a_docstring_is_a_link(site: Path) -> None:
    """No public name, and no function of libbpf's that has a page, stands there without a link."""
    linked, bare = 0, []
    for path in (site / "userrb").rglob("index.html"):
        page = BeautifulSoup(path.read_text(), "html.parser")
        for code in page.select(".doc-contents p > code, .doc-contents p > a > code"):
            if code.get_text().removesuffix("()") in places():
                linked += code.parent is not None and code.parent.name == "a"
                if code.parent is None or code.parent.name != "a":
                    bare.append(f"{path.parent.name}: {code.get_text()}")
    assert linked > 20
    assert bare == []


def test_the_places_are_there(site: Path) -> None:
    """Each link leads to an anchor of the site."""
    ids = set()
    for path in site.rglob("index.html"):
        ids |= {tag["id"] for tag in BeautifulSoup(path.read_text(), "html.parser").select("[id]")}
    assert set(places().values()) <= ids

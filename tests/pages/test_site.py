"""The built site: what a reader of the HTML gets."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag

import userrb
from proof.page.pages import open_pages
from proof.record.coverage import cover

ROOT = Path(__file__).parent.parent.parent


def content(path: Path) -> Tag:
    """The article of a built page."""
    article = BeautifulSoup(path.read_text(), "html.parser").find("article")
    assert isinstance(article, Tag)
    return article


def built(site: Path, page: str) -> Path:
    """Where a page of docs/ is built to."""
    relative = Path(page).relative_to("docs").with_suffix("")
    folder = relative.parent if relative.name == "index" else relative
    return site / folder / "index.html"


def test_the_engine_sees_every_block_of_the_built_site(site: Path) -> None:
    """On each page as many code blocks are read by the engine as stand in the HTML."""
    pages = open_pages(ROOT / "mkdocs.yml")
    for page in pages.paths():
        if not page.startswith("docs/"):
            continue
        blocks = content(built(site, page)).select("pre")
        in_docstrings = content(built(site, page)).select(".doc pre")
        assert len(pages.page(page).blocks) == len(blocks) - len(in_docstrings), page


def test_the_account_counts_the_blocks_of_the_built_site(site: Path) -> None:
    """The account on the site has each code block in the HTML, and says 100 %."""
    coverage = cover(open_pages(ROOT / "mkdocs.yml"))
    in_html = 0
    for html in sorted(site.rglob("*.html")):
        text = html.read_text()
        if "<article" in text:
            in_html += len(content(html).select("pre")) - len(content(html).select(".doc pre"))
    outside = sum(line.place.startswith("README.md") for line in coverage.lines)
    assert in_html > 0
    assert len(coverage.lines) == in_html + outside
    page = content(site / "coverage/index.html")
    counts = [int(cell.get_text()) for cell in page.select("tbody td:nth-of-type(2)")]
    assert sum(counts) == len(coverage.lines)
    assert "100 %" in page.get_text()
    assert coverage.whole


def test_every_example_shows_where_it_ran(site: Path) -> None:
    """Under each example of the built site is its badge."""
    page = "docs/ebpf-library/libbpf/userspace/user_ring_buffer__reserve_blocking.md"
    badges = content(built(site, page)).select("details.proof summary")
    assert [badge.get_text().split()[:3] for badge in badges] == [["Ran", "on", "Linux"]]


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    """The API reference has each name of `__all__`, and each public method of the classes."""
    pages = (site / "userrb").rglob("index.html")
    ids = {tag["id"] for page in pages for tag in content(page).select("[id]")}
    for name in userrb.__all__:
        value = getattr(userrb, name)
        expected = {f"userrb.{name}"}
        if inspect.isclass(value) and not issubclass(value, (BaseException, tuple)):
            expected |= {
                f"userrb.{name}.{part}"
                for part in dir(value)
                if not part.startswith("_") and callable(getattr(value, part))
            }
        assert expected <= ids, expected - ids


def test_every_word_that_explains_itself_is_in_the_glossary() -> None:
    """Each abbreviation shown when pointed at has an entry in the glossary that says the same."""
    glossary = (ROOT / "docs/glossary.md").read_text().replace("`", "")
    abbreviations = (ROOT / "includes/abbreviations.md").read_text()
    words = re.findall(r"(?m)^\*\[(.+?)\]: (.+)$", abbreviations)
    assert len(words) > 5
    for word, meaning in words:
        if word != "eBPF":
            start = re.escape(meaning.split("; ")[0])
            assert re.search(rf"(?m)^\| {word} \{{ #\S+ \}} \| .*{start}", glossary), word

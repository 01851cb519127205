"""The door of the site: home page, README, and what robots, models and lost readers find."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup

from proof.page.pages import open_pages

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "mkdocs.yml"


def test_readme_and_home_show_the_same_program() -> None:
    """Both have the files of examples/home, and the same commands and output."""
    site = open_pages(CONFIG)
    pages = [site.page(path).blocks for path in ("README.md", "docs/index.md")]
    readme, home = ({block.title or "": block.text.strip() for block in each} for each in pages)
    files = {path.name: path.read_text().strip() for path in (ROOT / "examples/home").iterdir()}
    assert len(files) == 2
    assert readme == home
    assert files.items() <= readme.items()


def test_the_first_output_needs_no_click(site: Path) -> None:
    """The output of the first example on the home page is in no tab."""
    home = BeautifulSoup((site / "index.html").read_text(), "html.parser")
    console = home.select_one("article .language-console")
    assert console
    assert "sum: 1111" in console.get_text()
    assert not console.find_parent(class_="tabbed-block")


def test_the_home_page_counts_what_the_records_hold(site: Path) -> None:
    """Its figures are those of the records and of the account of the blocks."""
    records = [json.loads(path.read_text()) for path in (ROOT / "records").rglob("*.json")]
    runs = [run for record in records for run in record["runs"] if run["result"] == "as shown"]
    kernels = {re.match(r"\d+\.\d+", run["place"]["kernel"])[0] for run in runs}  # type: ignore[index]
    libraries = {run["place"]["libbpf"] for run in runs}
    account = BeautifulSoup((site / "coverage/index.html").read_text(), "html.parser")
    blocks = sum(int(cell.get_text()) for cell in account.select("tbody td:nth-of-type(2)"))
    assert blocks
    text = BeautifulSoup((site / "index.html").read_text(), "html.parser").get_text()
    for figure in (
        f"{len(records)} examples",
        f"{len(kernels)} kernel",
        f"{len(libraries)} version",
        f"all {blocks} code blocks",
    ):
        assert figure in text, figure


@pytest.fixture(scope="module")
def finished(site: Path) -> Path:
    """The site with the files that `python -m house` adds."""
    subprocess.run([sys.executable, "-m", "house", str(site)], cwd=ROOT, check=True)
    return site


def test_every_page_is_there_as_markdown(finished: Path) -> None:
    """llms.txt lists a Markdown file for each page, with the code that the page includes."""
    listed = re.findall(r"\]\(https?://[^/]+/(\S+)\): \S", (finished / "llms.txt").read_text())
    assert len(listed) == len(list((ROOT / "docs").rglob("*.md"))) > 10
    texts = {path: (finished / path).read_text() for path in listed}
    assert all("--8<--" not in text and ":::" not in text for text in texts.values())
    assert "ring.submit_many(array.array" in texts["index.md"]
    assert "reserve(" in texts["userrb/reference/index.md"]


def test_one_setting_decides_on_the_address(site: Path, finished: Path) -> None:
    """Canonical links, the sitemap, robots.txt, llms.txt and the social card have the same base."""
    home = BeautifulSoup((site / "index.html").read_text(), "html.parser")
    canonical = str(home.select("link[rel=canonical]")[0]["href"])
    assert canonical.startswith("https://")
    card = str(home.select("meta[property='og:image']")[0]["content"])
    assert card.startswith(canonical)
    assert (site / card.removeprefix(canonical)).is_file()
    places = ElementTree.parse(site / "sitemap.xml").iter()  # noqa: S314
    urls = [place.text or "" for place in places if place.tag.endswith("loc")]
    assert len(urls) > 10
    assert all(url.startswith(canonical) for url in urls)
    assert f"Sitemap: {canonical}sitemap.xml" in (finished / "robots.txt").read_text()


def test_a_lost_reader_is_helped(site: Path) -> None:
    """`make serve` answers an unknown address with the site's own page, whose links work."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from serve import handler_for  # type: ignore[import-not-found] # noqa: PLC0415
    finally:
        sys.path.pop(0)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_for(str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"{url}/no/such/page/")  # noqa: S310
        assert answer.value.code == 404
        page = BeautifulSoup(answer.value.read(), "html.parser")
        links = [str(tag["href"]) for tag in page.select("article a, link[rel=stylesheet]")]
        assert len(links) > 5
        for link in links:
            assert link.startswith("/"), link
            urllib.request.urlopen(url + link).close()  # noqa: S310
        server.shutdown()


def test_the_footer_has_the_licence_and_the_date(site: Path) -> None:
    """Every page names both licences; `make` adds the date of the last commit."""
    footer = BeautifulSoup((site / "index.html").read_text(), "html.parser").select("footer")[0]
    assert "0BSD" in footer.get_text()
    assert "MIT" in footer.get_text()
    git = ["git", "log", "-1", "--format=%cs"]
    date = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    make = ["make", "--no-print-directory", "--eval", 'footer: ; @echo "$$SITE_FOOTER"', "footer"]
    said = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip().endswith(f"Last change: {date}.")

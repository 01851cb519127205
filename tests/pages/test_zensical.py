"""Zensical, which will take the place of MkDocs, makes the same of the pages."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as Zensical builds it."""
    folder = tmp_path_factory.mktemp("zensical")
    # It writes beside its settings only, and they name files from there.
    kept = (
        "mkdocs.yml",
        "pyproject.toml",
        "setup.py",
        "README.md",
        "docs",
        "examples",
        "includes",
        "records",
        "userrb",
        "proof",
        "house",
    )
    for name in kept:
        whole = ROOT / name
        if whole.is_dir():
            shutil.copytree(whole, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(whole, folder)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def article(path: Path) -> Tag:
    """What a page says, without what a theme adds to it."""
    found = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").find("article")
    assert isinstance(found, Tag), path
    for added in found.select(".headerlink, .md-content__button"):
        added.decompose()
    return found


def test_the_pages_are_the_same(site: Path, other: Path) -> None:
    """Words, code, what is copied, links, pictures and badges of each page are the same."""
    pages = [path.relative_to(site) for path in site.rglob("index.html")]
    assert pages
    for page in pages:
        one, two = article(site / page), article(other / page)
        texts = [re.sub(r"\s+", " ", each.get_text()).strip() for each in (one, two)]
        assert texts[0] == texts[1], page
        for selector, attribute in (
            ("[data-copy]", "data-copy"),
            ("img", "src"),
            ("a[href]", "href"),
        ):
            values = [
                [str(tag[attribute]).removeprefix("./") for tag in each.select(selector)]
                for each in (one, two)
            ]
            assert values[0] == values[1], page
        for selector in ("pre", "details.proof", ".tabbed-set", ".admonition", "table"):
            counts = [len(each.select(selector)) for each in (one, two)]
            assert counts[0] == counts[1], f"{page}: {selector}"

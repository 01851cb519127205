"""On the page of a name, the lines of C that use it are marked."""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup

PAGES = "ebpf-library/libbpf/userspace"


def marked(site: Path, page: str) -> list[str]:
    """Return the marked lines of a page."""
    html = BeautifulSoup((site / page / "index.html").read_text(), "html.parser")
    return [line.get_text().strip() for line in html.select(".highlight .hll")]


def test_a_page_marks_the_uses_of_its_own_name(site: Path) -> None:
    """One program on two pages has other lines marked on each, and only those."""
    for name in ("bpf_map_update_elem", "bpf_map_delete_elem"):
        lines = marked(site, f"{PAGES}/{name}")
        assert lines
        assert all(f"{name}(" in line for line in lines)


def test_no_other_page_marks_lines(site: Path) -> None:
    """The title of a guide is not the name of a function."""
    assert not marked(site, "guides/how-the-ring-works")

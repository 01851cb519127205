"""Pages to indexes: the families of names, a table for each, and the navigation."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from facts.errors import FactError
from facts.themes import link

_DATA = Path(__file__).parent / "families.toml"
_NAV = re.compile(r"(?ms)^( *)# \[NAMES\]\n.*?^ *# \[/NAMES\]$")
_REGION = re.compile(r"(?ms)^<!-- \[([A-Z_]+)\].*?^<!-- \[/\1\] -->$")


@dataclass(frozen=True)
class Group:
    """The pages of one folder: their title, and the families with their patterns."""

    folder: str
    title: str
    families: tuple[tuple[str, str], ...]


@cache
def groups() -> tuple[Group, ...]:
    """Read the groups."""
    data = tomllib.loads(_DATA.read_text(encoding="utf-8"))
    return tuple(
        Group(each["folder"], each["title"], tuple((name, text) for name, text in each["families"]))
        for each in data.values()
    )


def families(group: Group, docs: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield the families that have pages, and their pages.

    Raises:
        FactError: A page belongs to none.
    """
    found: dict[str, list[Path]] = {name: [] for name, _ in group.families}
    for page in sorted((docs / group.folder).glob("*.md")):
        if page.stem == "index":
            continue
        its = next((name for name, text in group.families if re.match(text, page.stem)), None)
        if its is None:
            raise FactError(f"{_DATA.name} has no family for {page.stem}; add one")
        found[its].append(page)
    yield from ((name, pages) for name, pages in found.items() if pages)


def index(_: str, *, page: Path, docs: Path) -> str:
    """Write the index of a folder: for each family a table with a sentence on each name."""
    lines: list[str] = []
    for group in groups():
        if docs / group.folder == page.parent:
            for name, pages in families(group, docs):
                lines += ["", f"## {name}", "", "| Name | What it does |", "|---|---|"]
                lines += [f"| {link(each, page)} | {sentence(each)} |" for each in pages]
    return "\n".join([*lines, ""])


def sentence(page: Path) -> str:
    """Return the first sentence of a page.

    Raises:
        FactError: It has none.
    """
    text = _REGION.sub("", page.read_text(encoding="utf-8").split("\n---\n", 1)[-1])
    first = re.search(r"(?m)^(?![#<!|` -])(.+?[.])(?= |$)", text)
    if first is None:
        raise FactError(f"{page}: has no sentence that says what {page.stem} is for")
    # Links would have to lead from elsewhere.
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", first[1])


def navigation(text: str, docs: Path) -> str:
    """Return mkdocs.yml with the navigation of all names rewritten between its marks.

    A page that is elsewhere in the navigation is left there.

    Raises:
        FactError: The marks are missing.
    """
    marks = _NAV.search(text)
    if marks is None:
        raise FactError("mkdocs.yml has no lines `# [NAMES]` and `# [/NAMES]` in its navigation")
    by_hand = text[: marks.start()] + text[marks.end() :]
    lines = ["# [NAMES]"]
    for group in groups():
        if not (docs / group.folder / "index.md").exists():
            continue
        lines += [f"- {group.title}:", f"    - {group.folder}/index.md"]
        for name, pages in families(group, docs):
            paths = {page.stem: f"{group.folder}/{page.name}" for page in pages}
            entries = [f"        - {n}: {path}" for n, path in paths.items() if path not in by_hand]
            lines += [f"    - {name}:", *entries] if entries else []
    lines.append("# [/NAMES]")
    return (
        text[: marks.start()] + "\n".join(marks[1] + line for line in lines) + text[marks.end() :]
    )

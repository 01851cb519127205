"""Examples to links: which shared examples there are, what names they use, which pages show them.

A theme is a folder of `examples/` with a file `example.md`, that pages include.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from facts.errors import FactError

FOLDERS = (
    "ebpf-library/libbpf/userspace",
    "ebpf-library/libbpf/ebpf",
    "linux/helper-function",
    "linux/kfuncs",
)
"""The folders, in the docs directory, of pages that are named after what a program calls."""

_INCLUDED = re.compile(r'(?m)^--8<-- "examples/([\w-]+)/example\.md"$')
_FILE = re.compile(r'(?m)^ *--8<-- "(examples/[\w/.-]+\.[ch])"$')
_TITLE = re.compile(r"(?m)^### Example: (.+?) \{ *#example\b")
_NO_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


@dataclass(frozen=True)
class Theme:
    """A shared example.

    Attributes:
        name: The name of its folder.
        title: What it does, as it follows "I want to".
        bpf: The names that its BPF programs have in their code.
        user: The names that its other C files have.
    """

    name: str
    title: str
    bpf: frozenset[str]
    user: frozenset[str]

    def uses(self, page: Path) -> bool:
        """Say whether the code has what a page is about, on the side that it is for."""
        names = self.user if page.parent.name == "userspace" else self.bpf
        return page.stem in names


def included(text: str) -> str | None:
    """Return the name of the theme that a page includes, if it includes one."""
    found = _INCLUDED.search(text)
    return found[1] if found else None


@cache
def themes() -> dict[str, Theme]:
    """Read all themes, by their names."""
    return {path.parent.name: _read(path) for path in sorted(Path("examples").glob("*/example.md"))}


def _read(path: Path) -> Theme:
    text = path.read_text(encoding="utf-8")
    title = _TITLE.search(text)
    if title is None:
        raise FactError(f"{path}: begins with no `### Example: what it does {{ #example ... }}`")
    names: dict[bool, set[str]] = {True: set(), False: set()}
    # As it shows them: what several themes show is written once.
    for file in _FILE.findall(text):
        code = _NO_CODE.sub(" ", Path(file).read_text(encoding="utf-8"))
        names[file.endswith(".bpf.c")] |= set(re.findall(r"\b[A-Za-z_]\w+\b", code))
    return Theme(path.parent.name, title[1], frozenset(names[True]), frozenset(names[False]))


@cache
def pages(docs: Path) -> dict[Path, str | None]:
    """Return the pages that are named after what a program calls, each with its theme."""
    found = [page for folder in FOLDERS for page in sorted((docs / folder).glob("*.md"))]
    return {p: included(p.read_text(encoding="utf-8")) for p in found if p.stem != "index"}


def used_in(_: str, *, page: Path, docs: Path) -> str:
    """Write the other names of a page's example, and the other examples that use its name."""
    its = included(page.read_text(encoding="utf-8"))
    lines: list[str] = []
    if its is not None and (names := [p for p in _named(its, docs) if p != page]):
        links = ", ".join(link(p, page) for p in names)
        lines.append(f"**Also in this example:** {links}.")
    others = [theme for theme in themes().values() if theme.name != its and theme.uses(page)]
    if shown := [(theme, where) for theme in others if (where := _shown_on(theme.name, docs))]:
        links = ", ".join(f"[{t.title}]({relative(where, page)}#example)" for t, where in shown)
        lines += [""] * bool(lines) + [f"**Other examples with `{page.stem}`:** {links}."]
    return "\n".join(lines)


def wishes(_: str, *, page: Path, docs: Path) -> str:
    """Write the list of all themes: what each does, and the names that show it."""
    lines = [
        f"- [{theme.title}]({relative(where, page)}#example):"
        f" {', '.join(link(p, page) for p in _named(theme.name, docs))}"
        for theme in themes().values()
        if (where := _shown_on(theme.name, docs))
    ]
    return "\n".join(["", *lines, ""])


def _named(theme: str, docs: Path) -> list[Path]:
    """Return the pages of the names that a theme uses."""
    return [page for page in pages(docs) if themes()[theme].uses(page)]


def _shown_on(theme: str, docs: Path) -> Path | None:
    """Return the page to look at for a theme: the first that shows it."""
    return next((page for page, its in pages(docs).items() if its == theme), None)


def link(to: Path, page: Path) -> str:
    """Write a link to the page of a name."""
    return f"[`{to.stem}`]({relative(to, page)})"


def relative(to: Path, page: Path) -> str:
    """Return the way to a page from another one."""
    return Path(os.path.relpath(to, page.parent)).as_posix()

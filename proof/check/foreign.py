"""Pages of others: read leniently, and without running anything of theirs.

No plugin, hook or extension that a page's own site names is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import markdown

from proof.errors import ProofError
from proof.page.blocks import Block
from proof.page.origins import Tracker
from proof.page.plain import Folder, find
from proof.page.preprocessors import watch

_SITE = "mkdocs.yml"
_EXTENSIONS: dict[str, dict[str, object]] = {
    "admonition": {},
    "attr_list": {},
    "md_in_html": {},
    "tables": {},
    "toc": {},
    "pymdownx.details": {},
    "pymdownx.highlight": {},
    "pymdownx.snippets": {},
    "pymdownx.superfences": {"preserve_tabs": True},
    "pymdownx.tabbed": {"alternate_style": True},
}
"""What sites of MkDocs commonly have that decides what is a code block."""

_LINK = re.compile(r"\[([^\[\]\n]*)\]\([^()\s]*\.md(?:#[^()\s]*)?\)")
"""A link to a page within code, of which a hook of the site would make one."""


class Foreign(Folder):
    """Pages of others below a folder, which is the root of a MkDocs site if it has a mkdocs.yml."""

    lenient = True

    def _html(self, path: str, text: str, tracker: Tracker) -> str:
        if not (self.root / _SITE).exists():
            return super()._html(path, text, tracker)
        md = markdown.Markdown(extensions=list(_EXTENSIONS), extension_configs=_EXTENSIONS)
        watch(md, tracker)
        return md.convert(text)


def blocks(paths: Iterable[Path]) -> Iterator[tuple[str, list[Block] | ProofError]]:
    """Yield each page, as it is to be named, with its blocks, or why it cannot be read.

    Args:
        paths: Markdown files, and folders of them.

    Raises:
        ProofError: A path leads nowhere.
    """
    for path in find(paths):
        root = _root(path.resolve().parent)
        name = path.resolve().relative_to(root).as_posix()
        try:
            found = _site(root).page(name).blocks
        except ProofError as error:
            yield str(path), error
            continue
        yield (
            str(path),
            [replace(b, lines=tuple(_LINK.sub(r"\1", n) for n in b.lines)) for b in found],
        )


@lru_cache
def _root(folder: Path) -> Path:
    """Return the root of the site that a folder is in, or the folder."""
    return next((each for each in (folder, *folder.parents) if (each / _SITE).exists()), folder)


@lru_cache(maxsize=1)
def _site(root: Path) -> Foreign:
    return Foreign(root)

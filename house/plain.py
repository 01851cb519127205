"""Page to Markdown: its source, with the files that it includes, for a reader without a browser."""

from __future__ import annotations

import importlib
import pydoc
import re
from pathlib import Path
from textwrap import indent

from bs4 import BeautifulSoup
from mkdocs.structure.pages import Page

_INCLUDED = re.compile(r'(?m)^( *)--8<-- "([^"]+)"$')
_MARKER = re.compile(r"(?m)^<!-- \[/?[A-Z_]+\].*-->\n")
_OBJECT = re.compile(r"(?m)^::: ([\w.]+)\n(?: +.*\n)*")


def plain(page: Page, root: Path) -> str:
    """Return a page's Markdown with the files that it includes, and the docstrings it shows.

    Args:
        page: The page, whose source has been read.
        root: The directory that included files are named from.
    """
    text = str(page.markdown)
    while _INCLUDED.search(text):  # what is included may include
        text = _INCLUDED.sub(lambda found: indent(_file(root / found[2]), found[1]), text)
    text = _OBJECT.sub(lambda found: f"```text\n{_docstring(found[1])}\n```\n", text)
    return _MARKER.sub("", text).lstrip()


def _file(path: Path) -> str:
    text = path.read_text(encoding="utf-8").rstrip("\n")
    if path.suffix != ".svg":
        return text
    drawing = BeautifulSoup(text, "html.parser").find("svg")
    return f"({drawing['aria-label']})" if drawing else ""


def _docstring(name: str) -> str:
    module, _, rest = name.partition(".")
    found: object = importlib.import_module(module)
    for part in rest.split("."):
        found = getattr(found, part)
    return pydoc.plain(pydoc.TextDoc().document(found, name)).strip()

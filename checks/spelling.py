"""Spelling: the words of a page that are in neither the dictionary nor the project's list."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import markdown
from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from checks.pages import Page

_NO_PROSE = ("pre", "code", "script", "style", "svg")
_NO_PROSE_CLASSES = ("doc-heading", "doc-signature", "headerlink", "proof", "filename")
_ADVICE = "if it is right, add it to docs/words.txt"
# A name of code, a file, an address or a version is no word, nor is what is only capitals.
_NO_WORD = re.compile(r"\S*(?:[_/@\\=<>\d]|\w\.\w|::|\(\)|[a-z][A-Z])\S*|\b[A-Z]{2,}s?\b")


def misspelled(page: Page, words: frozenset[str]) -> Iterator[str]:
    """Name the unknown words of a page, each where it first occurs."""
    for word in unknown_words(prose(page.article), words):
        yield f"{page.where(word)}: spelling: {word!r} ({_ADVICE})"


def misspelled_in_markdown(path: Path, words: frozenset[str]) -> Iterator[str]:
    """Do the same for a Markdown file that is not on the site."""
    page = Page(path, path)
    for word in unknown_words(prose_of_markdown(path), words):
        yield f"{page.where(word)}: spelling: {word!r} ({_ADVICE})"


def prose_of_markdown(path: Path) -> str:
    """Return the text of a Markdown file that is sentences."""
    html = markdown.markdown(
        path.read_text(encoding="utf-8"), extensions=["pymdownx.superfences", "tables", "attr_list"]
    )
    return prose(BeautifulSoup(html, "html.parser"))


def prose(tag: Tag) -> str:
    """Return the text of a page that is sentences: no code, no names."""
    parts: list[str] = []
    for string in tag.find_all(string=True):
        if type(string) is not NavigableString:
            continue  # a comment, say
        if string.find_parent(_NO_PROSE) or string.find_parent(class_=_NO_PROSE_CLASSES):
            parts.append(",")
        else:
            parts.append(str(string))
    return _NO_WORD.sub(" ", " ".join(parts))


def unknown_words(text: str, words: frozenset[str]) -> list[str]:
    """Ask aspell for the words that it does not know, except those of the list.

    Args:
        text: Prose.
        words: What else is right, in lower case where the case does not matter.
    """
    plain = re.sub(r"(?<=\w)['\N{RIGHT SINGLE QUOTATION MARK}]s\b", "", text)
    command = ["aspell", "list", "--mode=none", "--lang=en_US", "--encoding=utf-8", "--ignore=1"]
    # No list of the user's own may decide what passes.
    command += ["--personal=/dev/null", "--repl=/dev/null", "--dont-validate-words"]
    done = subprocess.run(command, input=plain, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RuntimeError(f"aspell failed: {done.stderr}")
    found = dict.fromkeys(done.stdout.split())
    return [w for w in found if not {w, w.lower()} & words]


def read_words(path: Path) -> frozenset[str]:
    """Read the list: one word a line, comments after `#`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if (word := line.partition("#")[0].strip()))

"""Phrases: turns of speech that are translated, or that a reader has to read twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from checks.pages import Page
from checks.spelling import prose, prose_of_markdown

_BETTER = {
    r"(?<!there )\b(?:is|are) none\b(?! of\b)": "say what it is not",
    r"(?<!there )\b(?:is|are) no (?!longer\b|more\b)\w+": "is not a ...",
    r"\bgo(?:es)? on\b": "continue",
    r"\bstands?\b(?! for\b)": "is",
    r"\bbehind (?:it|them)\b": "after, later",
    r"\bfor ever\b|\bwithout end\b": "forever",
    r"\bkin\b": "name them, or 'such as'",
    r"\bin vain\b": "say what does not happen",
    r"\bin words\b": "say it",
    r"\ba relative of\b": "based on, similar to",
    r"\b(?:mends?|mended)\b": "fix",
    r"\b(?:anew|afresh)\b": "again",
    r"\bwhat (?:is|was) to be\b": "name it",
    r"(?:^|[.;:] )Who \w+s\b(?![^.]*\?)": "if you ..., whoever",
}


def hard_phrases(page: Page) -> Iterator[str]:
    """Name the phrases of a page that are hard to read, each where it first occurs."""
    yield from _named(page, prose(page.article))


def hard_phrases_in_markdown(path: Path) -> Iterator[str]:
    """Do the same for a Markdown file that is not on the site."""
    yield from _named(Page(path, path), prose_of_markdown(path))


def _named(page: Page, text: str) -> Iterator[str]:
    text = " ".join(text.split())
    for pattern, better in _BETTER.items():
        for phrase in dict.fromkeys(re.findall(f"(?i){pattern}", text)):
            yield f"{page.where(phrase)}: hard to read: {phrase!r} (better: {better})"

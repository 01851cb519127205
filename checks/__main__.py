"""The command line: `python -m checks SITE` lists what is wrong with the built site."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from checks.links import broken_links
from checks.markup import (
    admonition_types,
    images_without_words,
    left_overs,
    unknown_admonitions,
)
from checks.pages import pages
from checks.phrases import hard_phrases, hard_phrases_in_markdown
from checks.spelling import misspelled, misspelled_in_markdown, read_words


def main(arguments: list[str] | None = None) -> int:
    """Check; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m checks", description=__doc__)
    parser.add_argument("site", type=Path, help="the built site")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="what it was made from")
    parser.add_argument(
        "--words", type=Path, default=Path("docs/words.txt"), help="words that are right"
    )
    options = parser.parse_args(arguments)
    found = list(problems(options.site, options.docs, options.words))
    print("".join(f"{problem}\n" for problem in found), end="", file=sys.stderr)
    return int(bool(found))


def problems(site: Path, docs: Path, words_file: Path) -> Iterator[str]:
    """Name everything that is wrong with a site."""
    found = list(pages(site, docs))
    written = [page for page in found if page.source]
    types = admonition_types(site)
    if not written or not types:
        yield f"{site}: has no page made from {docs}, or no theme's styles; build it first"
    yield from broken_links(found, site)
    words = read_words(words_file)
    for page in written:
        yield from unknown_admonitions(page, types)
        yield from images_without_words(page)
        yield from left_overs(page)
        yield from misspelled(page, words)
        yield from hard_phrases(page)
    root = docs.resolve().parent
    for path in sorted([*root.glob("*.md"), *root.glob("[a-z]*/README.md")]):
        yield from misspelled_in_markdown(path, words)
        yield from hard_phrases_in_markdown(path)


if __name__ == "__main__":
    sys.exit(main())

"""Name to lines: a Python-Markdown extension that marks the lines of C that use a page's name.

The page of a function shows a program that uses others as well; the reader looks for this one.
"""

from __future__ import annotations

import re

import markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor

_TITLE = re.compile(r'<h1 id="(\w+)">[^\n]*<code')
_CODE = re.compile(r'(<div class="language-c highlight">.*?<code>)(.*?)(</code></pre>)', re.DOTALL)


class UsesExtension(Extension):
    """Marks the lines that use the name of the page."""

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register the processor, which needs the code that was put aside (restored at 30)."""
        md.postprocessors.register(_Uses(md), "house_uses", 1)


class _Uses(Postprocessor):
    def run(self, text: str) -> str:
        title = _TITLE.search(text)
        if not title:
            return text
        token = re.compile(rf">{title[1]}</span>")

        def marked(block: re.Match[str]) -> str:
            lines = block[2].split("\n")
            # As Pygments marks lines, with the newline inside.
            parts = [
                f'<span class="hll">{line}\n</span>' if token.search(line) else f"{line}\n"
                for line in lines[:-1]
            ]
            return block[1] + "".join([*parts, lines[-1]]) + block[3]

        return _CODE.sub(marked, text)


def makeExtension(**settings: object) -> UsesExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return UsesExtension(**settings)

"""Commands to clipboard: what a copy of a console block is.

A reader who copies a console block wants to paste its commands into a shell: without prompts, and
without the output. The theme's copy button takes what stands in the attribute `data-copy`, where
there is one. Without JavaScript there is no button, and the attribute does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from proof.example.commands import read_console
from proof.page.blocks import CONSOLE, Page

_TAG = '<div class="'


def copies(page: Page, html: str) -> Iterator[tuple[int, str]]:
    """Yield where in a page's HTML an attribute goes, and the attribute.

    Raises:
        ProofError: A console block cannot be read.
    """
    for block in page.blocks:
        if block.language == CONSOLE and html.startswith(_TAG, block.offset):
            copy = "\n".join(command.text for command in read_console(block))
            attribute = escape(copy).replace("\n", "&#10;")
            yield block.offset + len("<div"), f' data-copy="{attribute}"'

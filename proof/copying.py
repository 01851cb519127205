"""Commands to clipboard: a Python-Markdown extension that says what a copy of a console block is.

A reader who copies a console block wants to paste its commands into a shell: without prompts, and
without the output. The theme's copy button takes what stands in the attribute `data-copy`, where
there is one. Without JavaScript there is no button, and the attribute does nothing.
"""

from __future__ import annotations

from html import escape

import markdown
from bs4 import BeautifulSoup
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from mkdocs.exceptions import BuildError

from proof.alternatives import CONSOLE
from proof.blocks import parse
from proof.commands import read_console
from proof.errors import ProofError


class CopyingExtension(Extension):
    """Puts the commands of each console block into its `data-copy`."""

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register the postprocessor, behind the one (at 30) that puts code blocks in place."""
        md.postprocessors.register(_Copies(md), "proof_copying", -5)


class _Copies(Postprocessor):
    def run(self, text: str) -> str:
        if f"language-{CONSOLE}" not in text:
            return text
        try:
            copies = [
                "\n".join(command.text for command in read_console(block))
                for block in parse(text).blocks
                if block.language == CONSOLE
            ]
        except ProofError as error:
            raise BuildError(str(error)) from error
        starts = [0]
        for line in text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        outer = BeautifulSoup(text, "html.parser").select(f"div.highlight.language-{CONSOLE}")
        # From the end, so that each insertion leaves the places before it as they are.
        for tag, copy in reversed(list(zip(outer, copies, strict=True))):
            at = starts[(tag.sourceline or 1) - 1] + (tag.sourcepos or 0) + len("<div")
            attribute = escape(copy).replace("\n", "&#10;")
            text = f'{text[:at]} data-copy="{attribute}"{text[at:]}'
        return text


def makeExtension(**settings: object) -> CopyingExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return CopyingExtension(**settings)

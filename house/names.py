"""Names to links: a Python-Markdown extension that links the names in docstrings.

A docstring names what it is about between backticks, as a terminal shows it best. In the API
reference such a name leads to where it is explained.
"""

from __future__ import annotations

import inspect
from functools import cache
from xml.etree.ElementTree import Element

import markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

import userrb

_C = (
    "user_ring_buffer__new",
    "user_ring_buffer__reserve",
    "user_ring_buffer__reserve_blocking",
    "user_ring_buffer__submit",
    "user_ring_buffer__discard",
    "user_ring_buffer__free",
    "bpf_user_ringbuf_drain",
    "BPF_MAP_TYPE_USER_RINGBUF",
)


@cache
def places() -> dict[str, str]:
    """Return where names are explained, as anchors: public ones, and those of C."""
    found = {name: f"userrb.{name}" for name in userrb.__all__}
    owners: dict[str, list[str]] = {}
    for name in userrb.__all__:
        value = getattr(userrb, name)
        if inspect.isclass(value) and not issubclass(value, (BaseException, tuple)):
            for method in vars(value) | vars(value.__base__):
                if not method.startswith("_") and callable(getattr(value, method, None)):
                    owners.setdefault(method, []).append(f"userrb.{name}.{method}")
    # A method of several classes, such as `close`, could be any of them.
    found |= {method: its[0] for method, its in owners.items() if len(its) == 1}
    # These are the ids of the pages' titles.
    return found | {name: name for name in _C}


class NamesExtension(Extension):
    """Links the names in docstrings."""

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (the library's name)
        """Register the processor, behind the one (at 20) that makes code of backticks."""
        md.treeprocessors.register(_Names(md), "house_names", 5)


class _Names(Treeprocessor):
    def run(self, root: Element) -> None:
        # Docstrings are rendered by an instance of their own, which alone has this.
        if "mkdocstrings_ids" not in self.md.treeprocessors:
            return
        for parent in root.iter():
            if parent.tag in ("a", "autoref"):
                continue
            for number, child in enumerate(list(parent)):
                name = self._text(child).removesuffix("()")
                if child.tag == "code" and name in places():
                    link = Element("autoref", identifier=places()[name], optional="")
                    link.tail, child.tail = child.tail, None
                    link.append(child)
                    parent[number] = link

    def _text(self, code: Element) -> str:
        # Highlighting has put the text of code aside, and left its number.
        aside = HTML_PLACEHOLDER_RE.fullmatch(code.text or "")
        return str(self.md.htmlStash.rawHtmlBlocks[int(aside[1])]) if aside else code.text or ""


def makeExtension(**settings: object) -> NamesExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return NamesExtension(**settings)

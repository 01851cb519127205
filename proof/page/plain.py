"""The pages of a folder of plain Markdown: read as CommonMark, as hosts of repositories show it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

from proof.errors import ProofError
from proof.page.origins import FENCE_ATTRIBUTE, Tracker
from proof.page.pages import Pages

SUFFIXES = frozenset({".md", ".markdown"})

_SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__"})
"""Folders of which no Markdown is a project's own, beside those whose name begins with a dot."""

_TITLE = re.compile(r"""\btitle=(?:"([^"]*)"|'([^']*)'|([^\s"'}]+))""")
_CLASS = re.compile(r"(?:^|[\s{])\.([\w-]+)")
_LANGUAGE = re.compile(r"[\w+#.-]+")


class Folder(Pages):
    """A folder of Markdown files, without any configuration.

    A fence's file name is given after its language, ```` ```c title="add.c" ````, where most hosts
    show nothing of it; so is a class, `{ .illustration }`.

    Args:
        root: The folder.
    """

    docs = "."

    def paths(self) -> list[str]:
        """List the files that the setting `pages` names; without it, every one in the folder.

        Raises:
            ProofError: There is none, or none of a pattern.
        """
        patterns = self.settings.pages
        found = {
            path: None for pattern in patterns for path in _matching(self.root, pattern)
        } or dict.fromkeys(() if patterns else find([self.root]))
        if not found:
            raise ProofError(
                f"{self.root}: has no mkdocs.yml and no Markdown file; go to the root of a"
                " documentation, or name pages"
            )
        return [path.relative_to(self.root).as_posix() for path in found]

    def _html(self, path: str, text: str, tracker: Tracker) -> str:
        lines = text.split("\n")
        tracker.remember([tracker.written(index) for index in range(len(lines))])
        tracker.source = lines
        md = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        md.use(anchors_plugin, max_level=6)
        md.add_render_rule("fence", _fence)
        html: str = md.render(text, {"tracker": tracker})
        tracker.end(lines)
        return html


def _matching(root: Path, pattern: str) -> Iterator[Path]:
    found = [path for path in sorted(root.glob(pattern)) if path.is_file()]
    if not found:
        raise ProofError(f"{root}: no file is named {pattern!r}, as the setting `pages` says")
    yield from found


def find(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield Markdown files: those named, and all in the folders named, in order of their names.

    Environments of Python, what begins with a dot and links to folders are passed over.

    Raises:
        ProofError: A path leads nowhere.
    """
    for path in paths:
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from _below(path)
        else:
            raise ProofError(f"{path}: is no file and no folder")


def _below(folder: Path) -> Iterator[Path]:
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise ProofError(f"{folder}: cannot be listed: {error.strerror}") from error
    for child in children:
        if child.name.startswith(".") or child.name in _SKIPPED:
            continue
        if child.is_dir() and not child.is_symlink() and not (child / "pyvenv.cfg").exists():
            yield from _below(child)
        elif child.suffix in SUFFIXES and child.is_file():
            yield child


def _fence(_: Any, tokens: Sequence[Token], index: int, __: Any, env: dict[str, Any]) -> str:  # noqa: ANN401
    """Write a fenced block as a site would, with its number, so that it can be found again."""
    tracker: Tracker = env["tracker"]
    token = tokens[index]
    start, end = token.map or [0, 0]
    content = token.content.split("\n")[:-1]
    if end - start - 2 != len(content) and not tracker.lenient:
        raise ProofError(
            f"{tracker.origin(start)}: this fence has no end; close it with {token.markup!r}"
        )
    words = token.info.strip()
    match = _LANGUAGE.match(
        words.removeprefix("{").lstrip(" .") if words.startswith("{") else words
    )
    language = match[0].lower() if match else ""
    number = tracker.add(language, content, start, end)
    title = _TITLE.search(words)
    name = next(filter(None, title.groups()), "") if title else ""
    shown = language if tracker.fences[number].known and language else "text"
    classes = " ".join([f"language-{shown}", "highlight", *_CLASS.findall(words)])
    head = f'<span class="filename">{escape(name)}</span>' if name else ""
    return (
        f'<div class="{escape(classes)}" {FENCE_ATTRIBUTE}="{number}">{head}'
        f"<pre><code>{escape(token.content)}</code></pre></div>\n"
    )

"""A documentation's pages: each is rendered once, and knows where its lines come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path

from mkdocs.utils import meta

from proof import settings
from proof.errors import ProofError
from proof.page.blocks import Page, parse
from proof.page.origins import Tracker


class Pages(ABC):
    """The pages of a documentation.

    Args:
        root: The folder that paths, and the engine's settings, are of.

    Raises:
        ProofError: A setting of the engine is wrong.

    Attributes:
        root: That folder.
        settings: What its pyproject.toml sets for the engine.
        docs: The directory of the pages, from the root.
    """

    docs: str
    lenient = False
    """Whether what is wrong with a block is left out, not raised."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = settings.read(root)
        self._pages: dict[str, tuple[Stamps, Page]] = {}

    @property
    def records(self) -> Path:
        """The directory of the records."""
        return self.root / self.settings.records

    @abstractmethod
    def paths(self) -> list[str]:
        """List every page, from the root.

        Raises:
            ProofError: There is none.
        """

    @abstractmethod
    def _html(self, path: str, text: str, tracker: Tracker) -> str:
        """Render a page, whose front matter was cut off, and tell the tracker of its lines."""

    def page(self, path: str) -> Page:
        """Render a page, once for as long as neither it nor a file that it includes changes.

        Raises:
            ProofError: The page is missing, cannot be rendered, or its blocks cannot be placed.
        """
        known = self._pages.get(path)
        if known is None or any(stamp(file) != old for file, old in known[0].items()):
            known = self._pages[path] = self._render(path)
        return known[1]

    def read(self, path: str) -> str:
        """Read a page as it is written.

        Raises:
            ProofError: It is missing, or no text.
        """
        try:
            return (self.root / path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ProofError(f"{path}: cannot be read as UTF-8 text: {error}") from error

    def _render(self, path: str) -> tuple[Stamps, Page]:
        here = stamp(self.root / path)
        source = self.read(path)
        text, _ = meta.get_data(source)
        tracker = Tracker(path, source.count("\n") - text.count("\n"), self.root)
        tracker.lenient = self.lenient
        try:
            html = self._html(path, text, tracker)
        except ProofError:
            raise
        except Exception as error:  # whatever an extension raises, the page is what to look at
            raise ProofError(f"{path}: cannot be rendered: {error}") from error
        stamps = {self.root / path: here, **{file: stamp(file) for file in tracker.included}}
        return stamps, parse(html, path, tracker, self.settings)


Stamps = dict[Path, tuple[int, int] | None]
"""The time and size of each file that a page was made from; None if it is not there."""


def stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file does."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size


def open_pages(config_file: Path) -> Pages:
    """Open a documentation once a process, unless its settings change: its pages stay rendered.

    Args:
        config_file: The mkdocs.yml of a site. Where there is none, its folder is taken for one of
            plain Markdown.

    Raises:
        ProofError: MkDocs refuses the file, or a setting of the engine is wrong.
    """
    return _opened(config_file, stamp(config_file), stamp(config_file.parent / settings.FILE))


@lru_cache
def _opened(config_file: Path, *made_of: tuple[int, int] | None) -> Pages:
    # What MkDocs imports is not needed for plain Markdown.
    from proof.page.plain import Folder  # noqa: PLC0415
    from proof.page.site import Site  # noqa: PLC0415

    return Site(config_file) if made_of[0] else Folder(config_file.resolve().parent)

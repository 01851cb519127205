"""Markdown to HTML: render a page as the site does, and know where its lines come from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import markdown
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import get_files
from mkdocs.utils import meta

from proof import settings
from proof.errors import ProofError
from proof.page.blocks import Page, parse
from proof.page.origins import Tracker
from proof.page.preprocessors import watch

OWN = "proof.site"
"""The engine's own extension of Markdown, which writes what it must not depend on."""


class Site:
    """A MkDocs site, of which the engine uses the settings that decide how a page is rendered.

    Args:
        config_file: Path of mkdocs.yml; its directory is the root of the repository.

    Raises:
        ProofError: The file is missing or MkDocs refuses it, or a setting of the engine is wrong.

    Attributes:
        root: The root of the repository.
        settings: What the repository sets for the engine.
    """

    def __init__(self, config_file: Path) -> None:
        self.root = config_file.resolve().parent
        try:
            self.config: MkDocsConfig = load_config(str(config_file.resolve()))
        except Exception as error:  # MkDocs has several bases for what it raises
            raise ProofError(f"{config_file}: MkDocs cannot read its settings: {error}") from error
        self.settings = settings.read(self.root)
        self._pages: dict[str, tuple[Stamps, Page]] = {}

    @property
    def records(self) -> Path:
        """The directory of the records."""
        return self.root / self.settings.records

    @property
    def docs(self) -> str:
        """The directory of the pages, from the repository's root."""
        return Path(self.config["docs_dir"]).resolve().relative_to(self.root).as_posix()

    def paths(self) -> list[str]:
        """List every Markdown page of the site, and those of the settings, from the root."""
        docs = Path(self.config["docs_dir"])
        # As MkDocs itself finds them: with other suffixes than .md, and behind links.
        pages = [docs / f.src_uri for f in get_files(self.config) if f.is_documentation_page()]
        found = sorted(page.relative_to(self.root).as_posix() for page in pages)
        return [*found, *(page for page in self.settings.pages if page not in found)]

    def page(self, path: str) -> Page:
        """Render a page, once for as long as neither it nor a file that it includes changes.

        Raises:
            ProofError: The page is missing, cannot be rendered, or its blocks cannot be placed.
        """
        known = self._pages.get(path)
        if known is None or any(_stamp(file) != stamp for file, stamp in known[0].items()):
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
        here = _stamp(self.root / path)
        source = self.read(path)
        text, _ = meta.get_data(source)
        tracker = Tracker(path, source.count("\n") - text.count("\n"), self.root)
        md = markdown.Markdown(
            extensions=[e for e in self.config["markdown_extensions"] if e != OWN],
            extension_configs=self.config["mdx_configs"] or {},
        )
        watch(md, tracker)
        try:
            html = md.convert(text)
        except ProofError:
            raise
        except Exception as error:  # whatever an extension raises, the page is what to look at
            raise ProofError(f"{path}: cannot be rendered: {error}") from error
        stamps = {self.root / path: here, **{file: _stamp(file) for file in tracker.included}}
        return stamps, parse(html, path, tracker, self.settings)


Stamps = dict[Path, tuple[int, int] | None]
"""The time and size of each file that a page was made from; None if it is not there."""


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size


def open_site(config_file: Path) -> Site:
    """Open a site once a process, unless its settings change, as its pages stay rendered."""
    return _opened(config_file, _stamp(config_file))


@lru_cache
def _opened(config_file: Path, _: tuple[int, int] | None) -> Site:
    return Site(config_file)

"""Markdown to HTML: render a page as the site does, and know where its lines come from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import markdown
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import get_files
from mkdocs.utils import meta

from proof.blocks import Page, parse
from proof.errors import ProofError
from proof.positions import Tracker
from proof.preprocessors import watch

OWN = ("proof.badge", "proof.copying", "proof.coverage_page", "proof.kernels_page")
"""The engine's extensions of Markdown, which write what it must not depend on."""


class Site:
    """A MkDocs site, of which the engine uses the settings that decide how a page is rendered.

    Args:
        config_file: Path of mkdocs.yml; its directory is the root of the repository.

    Raises:
        ProofError: The file is missing or MkDocs refuses it.
    """

    def __init__(self, config_file: Path) -> None:
        self.root = config_file.resolve().parent
        try:
            self.config: MkDocsConfig = load_config(str(config_file.resolve()))
        except Exception as error:  # MkDocs has several bases for what it raises
            raise ProofError(f"{config_file}: MkDocs cannot read its settings: {error}") from error
        self._pages: dict[str, Page] = {}

    @property
    def docs(self) -> str:
        """The directory of the pages, from the repository's root."""
        return Path(self.config["docs_dir"]).resolve().relative_to(self.root).as_posix()

    def paths(self) -> list[str]:
        """List every Markdown page of the site, and README.md, from the repository's root."""
        docs = Path(self.config["docs_dir"])
        # As MkDocs itself finds them: with other suffixes than .md, and behind links.
        pages = [docs / f.src_uri for f in get_files(self.config) if f.is_documentation_page()]
        found = sorted(page.relative_to(self.root).as_posix() for page in pages)
        readme = self.root / "README.md"
        return [*found, "README.md"] if readme.is_file() else found

    def page(self, path: str) -> Page:
        """Render a page, once a process.

        Raises:
            ProofError: The page is missing, cannot be rendered, or its blocks cannot be placed.
        """
        if path not in self._pages:
            self._pages[path] = self._render(path)
        return self._pages[path]

    def _render(self, path: str) -> Page:
        try:
            source = (self.root / path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ProofError(f"{path}: cannot be read as UTF-8 text: {error}") from error
        text, _ = meta.get_data(source)
        tracker = Tracker(path, source.count("\n") - text.count("\n"), self.root)
        md = markdown.Markdown(
            extensions=[e for e in self.config["markdown_extensions"] if e not in OWN],
            extension_configs=self.config["mdx_configs"] or {},
        )
        watch(md, tracker)
        try:
            html = md.convert(text)
        except Exception as error:  # whatever an extension raises, the page is what to look at
            raise ProofError(f"{path}: cannot be rendered: {error}") from error
        return parse(html, path, tracker)


@lru_cache
def open_site(config_file: Path) -> Site:
    """Open a site once a process, as its pages are rendered once a process."""
    return Site(config_file)

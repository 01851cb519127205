"""The pages of a MkDocs site: rendered as the site does, by its extensions, plugins and hooks."""

from __future__ import annotations

from pathlib import Path

import markdown
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, get_files, set_exclusions
from mkdocs.structure.nav import get_navigation
from mkdocs.structure.pages import Page as SitePage
from mkdocs.structure.toc import get_toc

from proof.errors import ProofError
from proof.page.origins import Tracker
from proof.page.pages import Pages
from proof.page.preprocessors import watch

OWN = "proof.site"
"""The engine's own extension of Markdown, which writes what it must not depend on."""


class Site(Pages):
    """A MkDocs site.

    Args:
        config_file: Path of mkdocs.yml; its directory is the root of the repository.

    Raises:
        ProofError: The file is missing or MkDocs refuses it, or a setting of the engine is wrong.
    """

    def __init__(self, config_file: Path) -> None:
        super().__init__(config_file.resolve().parent)
        try:
            self.config: MkDocsConfig = load_config(str(config_file.resolve()))
            self._leave_out(self.settings.without_plugins)
            self._files = self._prepare()
        except Exception as error:  # MkDocs, and each plugin, has several bases for what it raises
            raise ProofError(f"{config_file}: MkDocs cannot read its settings: {error}") from error
        self.docs = Path(self.config["docs_dir"]).resolve().relative_to(self.root).as_posix()

    def _leave_out(self, names: tuple[str, ...]) -> None:
        plugins = [self.config.plugins.pop(name) for name in names if name in self.config.plugins]
        for methods in self.config.plugins.events.values():
            methods[:] = [m for m in methods if getattr(m, "__self__", None) not in plugins]

    def _prepare(self) -> Files:
        """Do what a build does before it reads the first page."""
        plugins = self.config.plugins
        plugins.on_startup(command="build", dirty=False)
        self.config = plugins.on_config(self.config)
        plugins.on_pre_build(config=self.config)
        files = get_files(self.config)
        files.add_files_from_theme(self.config.theme.get_env(), self.config)
        files = plugins.on_files(files, config=self.config)
        set_exclusions(files, self.config)
        plugins.on_nav(get_navigation(files, self.config), config=self.config, files=files)
        return files

    def paths(self) -> list[str]:
        """List every Markdown page of the site, and those of the settings, from the root."""
        docs = Path(self.config["docs_dir"])
        # As MkDocs itself finds them: with other suffixes than .md, and behind links.
        pages = [docs / f.src_uri for f in get_files(self.config) if f.is_documentation_page()]
        found = sorted(page.relative_to(self.root).as_posix() for page in pages)
        return [*found, *(page for page in self.settings.pages if page not in found)]

    def _html(self, path: str, text: str, tracker: Tracker) -> str:
        md = markdown.Markdown(
            extensions=[e for e in self.config["markdown_extensions"] if e != OWN],
            extension_configs=self.config["mdx_configs"] or {},
        )
        file = self._files.get_file_from_path(path.removeprefix(f"{self.docs}/"))
        page = self._page(file) if file and path.startswith(f"{self.docs}/") else None
        if page is not None:
            written = text
            text = self._before(page, text)
            tracker.changed(written.split("\n"), text.split("\n"))
        watch(md, tracker)
        html = md.convert(text)
        if page is None:
            return html
        page.content, page.toc = html, get_toc(getattr(md, "toc_tokens", []))
        return str(
            self.config.plugins.on_page_content(
                html, page=page, config=self.config, files=self._files
            )
        )

    def _page(self, file: File) -> SitePage:
        page = file.page or SitePage(None, file, self.config)
        page = self.config.plugins.on_pre_page(page, config=self.config, files=self._files)
        page.read_source(self.config)
        return page

    def _before(self, page: SitePage, text: str) -> str:
        changed = self.config.plugins.on_page_markdown(
            page.markdown if page.markdown is not None else text,
            page=page,
            config=self.config,
            files=self._files,
        )
        return str(changed)

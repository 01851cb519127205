"""Report to page: what the reports share."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from proof.errors import ProofError
from proof.page.pages import Pages


def page_with(marker: str, site: Pages) -> str:
    """Return the page, from the docs directory, that has a marker on a line of its own.

    Raises:
        ProofError: No page has it.
    """
    for path in site.paths():
        if path.startswith(f"{site.docs}/") and marker in site.read(path).splitlines():
            return PurePosixPath(path).relative_to(site.docs).as_posix()
    raise ProofError(f"no page has the line {marker}")


def row(cells: list[str]) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _title_of(path: str, site: Pages) -> str:
    """Name a page by its title, the first heading; a file outside the docs by its path."""
    name = PurePosixPath(path)
    if not name.is_relative_to(site.docs):
        return f"`{name}`"
    heading = re.search(r"(?m)^# (.+?)(?: \{[^}]*\})?$", site.read(path))
    return heading[1] if heading else f"`{name.stem}`"


def link(path: str, site: Pages, page: str, heading: str = "") -> str:
    """Write a link to a page, or just the name of what is not on the site.

    Args:
        path: The page's path from the repository's root.
        site: The site.
        page: The page that the link will stand on, from the docs directory.
        heading: The id of a heading there.
    """
    title = _title_of(path, site)
    if not path.startswith(f"{site.docs}/"):
        return title
    return f"[{title}]({_relative(path, site.docs, page)}{'#' * bool(heading)}{heading})"


def _relative(path: str, docs: str, page: str) -> str:
    """Return the way to a page from another one, which is named from the docs directory."""
    here = PurePosixPath(docs, page).parent
    return Path(os.path.relpath(path, here)).as_posix()

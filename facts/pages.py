"""Regions to pages: rewrite a page's facts, and say what on it contradicts their sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facts import families, kernel, kfuncs, libbpf, program_types, themes
from facts.errors import FactError
from facts.regions import Writer, regions, rewrite


@dataclass(frozen=True)
class Kind:
    """What the pages of a folder are about.

    Attributes:
        prototype: What returns the declaration of a name; None for what has none.
        regions: The regions that a page must have.
    """

    prototype: Callable[[str], str] | None
    regions: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "ebpf-library/libbpf/userspace": Kind(libbpf.function, ("LIBBPF_TAG", "DEFINITION")),
    "ebpf-library/libbpf/ebpf": Kind(libbpf.macro, ("LIBBPF_TAG", "DEFINITION")),
    "linux/helper-function": Kind(libbpf.helper, ("FEATURE_TAG", "DEFINITION", "PROG_TYPES")),
    "linux/kfuncs": Kind(kfuncs.prototype, ("FEATURE_TAG", "DEFINITION")),
    "linux/map-type": Kind(None, ("FEATURE_TAG",)),
}
"""Of each folder in the docs directory, what its pages are about."""


def writers(page: Path, docs: Path) -> dict[str, Writer]:
    """Return what writes each region of a page."""
    return {
        "LIBBPF_TAG": libbpf.version_tag,
        "DEFINITION": partial(_definition, _kind(page, docs)),
        "FEATURE_TAG": kernel.feature_tag,
        "PROG_TYPES": program_types.table,
        "USED_IN": partial(themes.used_in, page=page, docs=docs),
        "INDEX": partial(families.index, page=page, docs=docs),
        "THEMES": partial(themes.wishes, page=page, docs=docs),
    }


def _kind(page: Path, docs: Path) -> Kind | None:
    return None if page.stem == "index" else KINDS.get(page.parent.relative_to(docs).as_posix())


def _definition(kind: Kind | None, name: str) -> str:
    if name.startswith("struct "):
        return libbpf.structure(name)
    # What a page is named after is of its own kind; other names are functions or helpers.
    tried = [kind.prototype] if kind and kind.prototype else []
    for prototype in (*tried, libbpf.function, libbpf.helper):
        try:
            return f"`#!c {prototype(name)}`"
        except FactError as error:
            last = error
    raise last


def fresh(page: Path, docs: Path) -> str:
    """Return a page's text with its facts written afresh.

    Raises:
        FactError: A marker is wrong or a source fails; names the page.
    """
    text = page.read_text(encoding="utf-8")
    try:
        return rewrite(text, page.stem, writers(page, docs))
    except FactError as error:
        raise FactError(f"{page}: {error}") from error


def problems(page: Path, docs: Path) -> Iterator[str]:
    """Say what is wrong with the facts of a page: drift, a missing region, parameters, errors."""
    text = page.read_text(encoding="utf-8")
    new = fresh(page, docs).split("\n")
    for number, (was, line) in enumerate(zip(text.split("\n"), new, strict=False), 1):
        if was != line:
            yield f"{page}:{number}: is no longer what its source says (run `make facts`): {line}"
            break
    kind = _kind(page, docs)
    if kind is None:
        return
    have = {region.name for region in regions(text, page.stem, writers(page, docs))}
    shows = ("USED_IN",) if themes.included(text) else ()
    for name in (*kind.regions, *shows):
        if name not in have:
            yield f"{page}: has no region <!-- [{name}] -->, which a page of its kind needs"
    if kind.prototype:
        yield from _against_header(page, text, kind.prototype(page.stem))


def _against_header(page: Path, text: str, prototype: str) -> Iterator[str]:
    wanted = libbpf.parameters(prototype, page.stem)
    listed = re.search(r"(?m)^(?:\*\*Parameters\*\*|#+ Parameters)\n+((?:[-* ].*\n)+)", text)
    given = re.findall(r"(?m)^[-*] `(\w+)`", listed[1]) if listed else []
    if given != wanted:
        yield f"{page}: lists the parameters {given}, and the header has {wanted}"
    prose = re.sub(r"(?ms)^ *```.*?^ *```", "", text)
    for name in sorted(libbpf.documented_errors(page.stem)):
        if not re.search(rf"\b{name}\b", prose):
            yield f"{page}: says nothing of {name}, which the header's comment documents"

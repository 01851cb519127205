"""Regions to pages: rewrite a page's facts, and say what on it contradicts their sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from facts import kernel, libbpf, program_types
from facts.errors import FactError
from facts.regions import Writer, regions, rewrite

WRITERS: Mapping[str, Writer] = {
    "LIBBPF_TAG": libbpf.version_tag,
    "DEFINITION": libbpf.definition,
    "FEATURE_TAG": kernel.feature_tag,
    "PROG_TYPES": program_types.table,
}
"""What writes a region, by its name."""

_REQUIRED = {
    "ebpf-library/libbpf/userspace": ("LIBBPF_TAG", "DEFINITION"),
    "linux/helper-function": ("FEATURE_TAG", "DEFINITION", "PROG_TYPES"),
    "linux/map-type": ("FEATURE_TAG",),
}
"""The regions that a page must have, by its folder in the docs directory."""


def fresh(page: Path) -> str:
    """Return a page's text with its facts written afresh.

    Raises:
        FactError: A marker is wrong or a source fails; names the page.
    """
    text = page.read_text(encoding="utf-8")
    try:
        return rewrite(text, page.stem, WRITERS)
    except FactError as error:
        raise FactError(f"{page}: {error}") from error


def problems(page: Path, docs: Path) -> Iterator[str]:
    """Say what is wrong with the facts of a page: drift, a missing region, parameters, errors."""
    text = page.read_text(encoding="utf-8")
    new = fresh(page).split("\n")
    for number, (was, line) in enumerate(zip(text.split("\n"), new, strict=False), 1):
        if was != line:
            yield f"{page}:{number}: is no longer what its source says (run `make facts`): {line}"
            break
    have = {region.name for region in regions(text, page.stem, WRITERS)}
    required = _REQUIRED.get(page.parent.relative_to(docs).as_posix(), ())
    for name in required:
        if name not in have:
            yield f"{page}: has no region <!-- [{name}] -->, which a page of its kind needs"
    if "DEFINITION" in required:
        yield from _against_header(page, text)


def _against_header(page: Path, text: str) -> Iterator[str]:
    wanted = libbpf.parameters(page.stem)
    listed = re.search(r"(?m)^(?:\*\*Parameters\*\*|#+ Parameters)\n+((?:[-* ].*\n)+)", text)
    given = re.findall(r"(?m)^[-*] `(\w+)`", listed[1]) if listed else []
    if given != wanted:
        yield f"{page}: lists the parameters {given}, and the header has {wanted}"
    prose = re.sub(r"(?ms)^ *```.*?^ *```", "", text)
    for name in sorted(libbpf.documented_errors(page.stem)):
        if not re.search(rf"\b{name}\b", prose):
            yield f"{page}: says nothing of {name}, which the header's comment documents"

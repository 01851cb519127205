"""All records of a repository: found by the hash of an example, and held against the pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from proof.errors import ProofError
from proof.example.examples import Example
from proof.page.pages import Pages
from proof.record.digest import digest
from proof.record.record import Record, is_shown, path_of, read, read_all


class Shelf:
    """The records of a directory, as long as they do not change.

    Args:
        folder: The directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[int, int]] = {}
        self._by_hash: dict[str, tuple[Path, Record]] = {}

    def find(self, hashed: str) -> Record | None:
        """Return the record of an example as it stands, if there is one of a run as shown.

        A record that was written meanwhile is found: `mkdocs serve` lives long.

        Raises:
            ProofError: A file is no record.
        """
        if hashed not in self._by_hash or self._changed(self._by_hash[hashed][0]):
            self._read()
        found = self._by_hash.get(hashed)
        return found[1] if found else None

    def all(self) -> list[Record]:
        """Read every record."""
        return list(read_all(self._folder))

    def _changed(self, path: Path) -> bool:
        try:
            return _stamp(path) != self._seen[path]
        except OSError:
            return True

    def _read(self) -> None:
        """Read what is new or has changed."""
        known = dict(self._by_hash.values())
        self._by_hash = {}
        for path in sorted(self._folder.rglob("*.json")):
            stamp = _stamp(path)
            record = known.get(path)
            if record is None or self._seen.get(path) != stamp:
                record = read(path)
            self._seen[path] = stamp
            if record.shown:
                self._by_hash[record.hash] = (path, record)


def _stamp(path: Path) -> tuple[int, int]:
    info = path.stat()
    return info.st_mtime_ns, info.st_size


@lru_cache
def shelf(folder: Path) -> Shelf:
    """Return the one shelf of a directory."""
    return Shelf(folder)


def astray(examples: Sequence[Example], site: Pages) -> Iterator[ProofError]:
    """Yield what is wrong between the examples of all pages and the records, either way.

    The build asks for the records of the site's own pages; README.md, say, is none of them.
    """
    records, command = site.records, site.settings.record_command
    places = {path_of(example, site): example for example in examples}
    kept = {path: read(path) for path in sorted(records.rglob("*.json"))}
    for path, example in places.items():
        record = kept.get(path)
        if not (
            record
            and record.runs
            and record.hash == digest(example)
            and all(is_shown(run, example) for run in record.runs)
        ):
            yield ProofError(
                f"{example.name} has no record of how it stands on the page, which belongs into"
                f" {path.relative_to(records.parent)}: run `{command}`"
            )
    for path, record in kept.items():
        owner = places.get(path)
        if not owner or (owner.file, owner.id) != (record.page, record.example):
            yield ProofError(
                f"{path.relative_to(records.parent)}: this record is of"
                f" {record.page}::{record.example}, which no page has, or which is recorded"
                f" elsewhere; bring the example back, or run `{command}`"
            )


def remove_orphans(kept: set[Path], records: Path) -> list[Path]:
    """Delete the records of examples that are on no page any more; return their paths."""
    orphans = [path for path in sorted(records.rglob("*.json")) if path not in kept]
    for path in orphans:
        path.unlink()
        for parent in path.parents:
            if parent == records or any(parent.iterdir()):
                break
            parent.rmdir()
    return orphans

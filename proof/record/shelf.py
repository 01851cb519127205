"""All records of a repository, read once a process and found by the hash of an example."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from proof.record.record import Record, read, read_all


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

"""The results of a run, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.build import CACHE, HERE
from benchmarks.figures import Figure, Spread

RECORDED = HERE / "results.json"
"""The run that the page shows."""
LATEST = CACHE / "results.json"
"""Every run."""


@dataclass(frozen=True)
class Results:
    """A run.

    Attributes:
        machine: Where it was, by heading.
        figures: What it measured.
    """

    machine: dict[str, str]
    figures: list[Figure]

    def figure(self, key: str) -> Figure:
        """Return the figure of this key."""
        return next(figure for figure in self.figures if figure.key == key)

    def save(self, path: Path) -> None:
        """Write the JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what `save` wrote."""
        read = json.loads(path.read_text())
        return cls(read["machine"], [_figure(figure) for figure in read["figures"]])


def _figure(read: dict[str, Any]) -> Figure:
    for part in ("userrb", "c", "ratio"):
        read[part] = read[part] and Spread(**read[part])
    return Figure(**read)

"""The kernel's history to text: since which version it has a feature, and by which commit.

The versions are data, as no file of an installed system holds them; `declared` checks them against
the headers that one does hold.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from facts.errors import FactError

_DATA = Path(__file__).parent / "kernel_versions.json"
_COMMITS = "https://github.com/torvalds/linux/commit"
_INCLUDE = Path("/usr/include/linux")


def feature_tag(feature: str) -> str:
    """Write the tag that says since which kernel there is a helper, a map type or a kfunc."""
    known = features()
    if feature not in known:
        raise FactError(f"{_DATA.name} knows no feature {feature!r}")
    its = known[feature]
    return f"[:octicons-tag-24: v{its['version']}]({_COMMITS}/{its['commit']})"


def features() -> dict[str, dict[str, Any]]:
    """Read what is known of each feature: `version`, `commit`, and a helper's `number`."""
    data: Any = json.loads(_DATA.read_text(encoding="utf-8"))
    return dict(data)


def declared(feature: str) -> tuple[tuple[int, int], bool]:
    """Return the version of the installed kernel headers, and whether they have a feature.

    Args:
        feature: A helper or a map type; no header declares kfuncs.
    """
    version = re.search(
        r"#define LINUX_VERSION_CODE (\d+)", (_INCLUDE / "version.h").read_text(encoding="utf-8")
    )
    if not version:
        raise FactError("linux/version.h gives no version")
    code = int(version[1])
    text = (_INCLUDE / "bpf.h").read_text(encoding="utf-8")
    name = feature.removeprefix("bpf_")
    has = re.search(rf"\bFN\({name}\b|\b{feature},", text)
    return (code >> 16, code >> 8 & 0xFF), bool(has)

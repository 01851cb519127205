"""A scratch site for the tests of the engine: pages of their own, in a directory of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from textwrap import dedent

from proof import settings
from proof.example.examples import Account, Example, read_page
from proof.kernel.choose import choose
from proof.kernel.protocol import Kernel
from proof.page.site import Site
from proof.run.prove import Proof, prove

ROOT = Path(__file__).parent.parent.parent


PROBE = ROOT / "tools/kernel_probe.py"
TABLE: dict[str, object] = {
    "without_plugins": ["mkdocstrings"],
    "record_command": "make record",
    "matrix_command": "make matrix RECORD=1",
    "probe": str(PROBE),
    "tools": {"cc": "cc --version"},
    "refusals": [r"Linux 6\.1", "Invalid argument"],
    "c_words": ["LIBBPF_API", "__always_inline"],
    "c_annotations": ["SEC", "LIBBPF_DEPRECATED_SINCE"],
    "c_declarations": ["__uint", "__type", "LIBBPF_OPTS"],
    "c_loops": ["bpf_for"],
}
"""What the tests' own sites set."""


@cache
def chosen() -> Kernel:
    """Return the kernel that this run is for."""
    return choose(ROOT, settings.read(ROOT))


class Scratch:
    """A site in an empty directory, with the Markdown settings of the real one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "docs").mkdir()
        real = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        # The settings of the real site, but for its list of pages.
        (root / "mkdocs.yml").write_text(real.split("\nnav:\n")[0] + "\n", encoding="utf-8")
        self.set(**TABLE)
        abbreviations = root / "includes/abbreviations.md"
        abbreviations.parent.mkdir()
        abbreviations.touch()
        shutil.copytree(ROOT / "includes/theme", root / "includes/theme")
        (root / "examples").mkdir()
        shutil.copytree(ROOT / "docs/assets", root / "docs/assets")

    def set(self, **settings: object) -> None:
        """Write the engine's settings; `record_command` is `record-command`."""
        # What JSON writes of strings, lists and tables of strings, TOML reads.
        lines = [
            f"{name.replace('_', '-')} = {json.dumps(value)}".replace('": "', '" = "')
            for name, value in settings.items()
        ]
        self.write("pyproject.toml", "\n".join(["[tool.proof]", *lines, ""]))

    def write(self, path: str, text: str) -> Path:
        """Write a file below the root; the text may be indented as a whole."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8", newline="")
        return file

    def page(self, text: str, path: str = "docs/index.md") -> Account:
        """Write a page and account for its blocks."""
        self.write(path, text)
        return self.account(path)

    def account(self, path: str = "docs/index.md") -> Account:
        """Account for the blocks of a page as it stands now."""
        return read_page(self.site().page(path))

    def site(self) -> Site:
        """Open the site as it stands now."""
        return Site(self.root / "mkdocs.yml")

    def problems(self, text: str) -> str:
        """Write a page and return what is wrong with its blocks."""
        return "\n".join(map(str, self.page(text).problems))

    def example(self, text: str) -> Example:
        """Write a page that has one example and nothing wrong, and return it."""
        account = self.page(text)
        assert not account.problems, account.problems
        (example,) = account.examples
        return example

    def prove(self, text: str, limit: float = 60) -> Proof:
        """Write a page that has one example, and repeat it on the kernel of this run."""
        return prove(self.example(text), chosen(), limit)

    def failure(self, text: str, limit: float = 60) -> str:
        """Write a page whose example must fail, and return the message."""
        proof = self.prove(text, limit)
        assert proof.failures
        return "\n".join(proof.failures)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m ...` in the site's root, as `make` would."""
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


def console(*lines: str) -> str:
    """Write a page whose only example is these lines of a console block, from line 5."""
    return "\n".join(["# Page", "", "## Example", "", "```console", *lines, "```", ""])

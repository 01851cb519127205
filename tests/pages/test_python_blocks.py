"""Every Python block of every page, examples and illustrations alike, goes through ruff."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample
from pytest_examples.config import ExamplesConfig

from proof.errors import ProofError
from proof.page.blocks import Block
from proof.page.pages import open_pages
from tests.proof.scratch import Scratch

ROOT = Path(__file__).parent.parent.parent


def _blocks() -> list[Block]:
    site = open_pages(ROOT / "mkdocs.yml")
    blocks: list[Block] = []
    for path in site.paths():
        try:
            blocks += [b for b in site.page(path).blocks if b.language in ("python", "py")]
        except ProofError:
            continue  # test_examples.py fails for this page
    return blocks


def as_code_example(block: Block) -> CodeExample:
    """Hand a block to pytest-examples, with the place where its first line is written."""
    first = block.origin(0)
    # Messages add this to the line within the block, which counts from 1.
    path, before = (Path(first.path), first.line - 1) if first else (Path("page"), 0)
    example: CodeExample = CodeExample.create(
        block.text, path=path, start_line=before, prefix=block.language
    )
    return example


_BLOCKS = _blocks()


@pytest.mark.parametrize("block", _BLOCKS, ids=[str(b.start) for b in _BLOCKS])
def test_python_block(
    block: Block, eval_example: EvalExample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ruff finds nothing in the block."""
    # Ruff reads the block from its standard input, so it cannot know which files' rules apply.
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    eval_example.config = ExamplesConfig(
        target_version="py311",
        ruff_line_length=ruff["line-length"],
        ruff_ignore=[*ruff["lint"]["ignore"], *ruff["lint"]["per-file-ignores"]["examples/**"]],
    )
    # The one format in which pytest-examples finds the line, to put the page's in its place.
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "concise")
    eval_example.lint_ruff(as_code_example(block))


def test_a_fault_names_the_line_of_the_source(
    eval_example: EvalExample, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What ruff finds is reported at the line where the block is written."""
    site = Scratch(tmp_path)
    account = site.page("# T\n\n```python {.illustration}\na = 1\nprint(b)\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"docs/index\.md:5:7: F821 Undefined name"):
        test_python_block(account.page.blocks[0], eval_example, monkeypatch)

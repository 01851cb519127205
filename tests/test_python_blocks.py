"""Every Python block of every page, examples and illustrations alike, goes through ruff."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample
from pytest_examples.config import ExamplesConfig

from proof.blocks import Block
from proof.errors import ProofError
from proof.page import open_site

CONFIG = Path(__file__).parent.parent / "mkdocs.yml"
_LINE_LENGTH = 100


def _blocks() -> list[Block]:
    site = open_site(CONFIG)
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
def test_python_block(block: Block, eval_example: EvalExample) -> None:
    """Ruff finds nothing in the block."""
    eval_example.config = ExamplesConfig(
        target_version="py311", ruff_line_length=_LINE_LENGTH, ruff_select=["F", "W", "I", "B"]
    )
    eval_example.lint_ruff(as_code_example(block))

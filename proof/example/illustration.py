"""Illustrations: what a page only shows must still parse in the language that it claims to be."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from functools import cache

import tree_sitter
import tree_sitter_c
import yaml
from pygments.lexers import get_lexer_by_name

from proof.errors import ProofError
from proof.example.commands import read_console
from proof.page.blocks import Block
from proof.settings import Settings


def check_illustration(block: Block, settings: Settings) -> None:
    """Parse a block that is not run.

    Args:
        block: The block.
        settings: Those of the site, which know the macros of its C.

    Raises:
        ProofError: It does not parse, or nothing here can parse its language.
    """
    if not is_known(block.language):
        raise ProofError(
            f"an illustration in {block.language} cannot be checked (known are"
            f" {', '.join(sorted(_CHECKS))}); make it `text`, or a file of an example",
            block.start,
        )
    if found := fault(block, settings):
        line, what = found
        raise ProofError(
            f"this illustration is no valid {block.language}: {what}", block.origin(line)
        )


def is_known(language: str) -> bool:
    """Say whether `fault` can parse a language, by any of its names."""
    return _name(language) in _CHECKS


def fault(block: Block, settings: Settings) -> Fault:
    """Return which line of a block, from 0, does not parse, and why; None if all do."""
    if found := _CHECKS[_name(block.language)](block, settings):
        line, what = found
        return min(line, len(block.lines) - 1), what  # a parser may complain of the end of the text
    return None


def _name(language: str) -> str:
    # An author may write `py` or `yml`: Pygments knows all names of a language.
    return get_lexer_by_name(language).aliases[0]


Fault = tuple[int, str] | None
"""Number, from 0, of the line that is wrong, and what is wrong with it."""


def _python(block: Block, _: Settings) -> Fault:
    try:
        ast.parse(block.text)
    except SyntaxError as error:
        return (error.lineno or 1) - 1, error.msg
    return None


_ARGUMENTS = r"\((?: [^()] | \((?: [^()] | \([^()]*\) )*\) )*\)"


@cache
def _macros(settings: Settings) -> re.Pattern[str]:
    """Match what looks like no C to a parser that has not read the headers."""

    def one_of(words: Sequence[str]) -> str:
        return "|".join(map(re.escape, words)) or "(?!)"

    return re.compile(
        rf"""(?x)
        \b(?: (?: {one_of(settings.c_words)} )\b
          | (?: (?P<annotation> {one_of(settings.c_annotations)} )
              | (?P<declaration> {one_of(settings.c_declarations)} )
              | (?P<loop> {one_of(settings.c_loops)} )
            ) {_ARGUMENTS}
        )
        """
    )


def _plain_c(match: re.Match[str]) -> str:
    """Write something of the same length and lines that the grammar knows."""
    text = "int _" if match["declaration"] else "while(1)" if match["loop"] else ""
    return text + re.sub(r"[^\n]", " ", match[0][len(text) :])


@cache
def _c_parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language()))


def _c(block: Block, settings: Settings) -> Fault:
    text = _macros(settings).sub(_plain_c, block.text)
    node = _c_parser().parse(text.encode()).root_node
    if not node.has_error:
        return None
    # The innermost, first node with an error is the closest to what is wrong.
    while inner := next((c for c in node.children if c.has_error or c.is_missing), None):
        node = inner
    what = f"{node.type} is missing" if node.is_missing else "syntax error"
    return node.start_point[0], what


def _bash(block: Block, _: Settings) -> Fault:
    return _bash_text(block.text)


def _bash_text(text: str) -> Fault:
    done = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, check=False, env={"LANG": "C"}
    )
    if done.returncode == 0 and not done.stderr:
        return None
    first = (done.stderr.splitlines() or ["bash refuses it"])[0]
    place, _, what = first.removeprefix("bash: line ").partition(": ")
    return (int(place) - 1 if place.isdigit() else 0), what or first


def _console(block: Block, _: Settings) -> Fault:
    for command in read_console(block):
        if found := _bash_text(command.text + "\n"):
            return command.index + found[0], found[1]
    return None


def _json(block: Block, _: Settings) -> Fault:
    try:
        json.loads(block.text)
    except json.JSONDecodeError as error:
        return error.lineno - 1, error.msg
    return None


def _toml(block: Block, _: Settings) -> Fault:
    try:
        tomllib.loads(block.text)
    except tomllib.TOMLDecodeError as error:
        return 0, str(error)
    return None


def _yaml(block: Block, _: Settings) -> Fault:
    try:
        list(yaml.compose_all(block.text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        return line, str(error.problem)
    return None


def _text(_block: Block, _: Settings) -> Fault:
    return None


_CHECKS: dict[str, Callable[[Block, Settings], Fault]] = {
    "python": _python,
    "c": _c,
    "bash": _bash,
    "console": _console,
    "json": _json,
    "toml": _toml,
    "yaml": _yaml,
    "text": _text,
}

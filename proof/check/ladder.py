"""Blocks to rows: each block is taken as far as its kind goes."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proof.check.compilers import BPF, Compiled, compile_block
from proof.check.rows import Level, Row
from proof.check.runner import Runner, load, run, type_commands
from proof.errors import ProofError
from proof.example.commands import read_console
from proof.example.comparison import align, decode
from proof.example.illustration import fault, is_known
from proof.kernel.sandbox import Free
from proof.page.blocks import CONSOLE, Block
from proof.settings import Settings

_C = frozenset({"c", "h"})
_PYTHON = frozenset({"python", "py", "python3"})
_SCRIPTS = frozenset({"bash", "sh", "shell", "zsh"})

Climb = Callable[[Row], None]
"""Takes a row a step further, or says why not."""


class Ladder:
    """Takes blocks as far as they go.

    Args:
        folder: A folder for what is made of blocks, which the compilers' user can enter.
        place: What compilers are confined to.
        prelude: A header with what pages leave out of C, or None.
        runner: Where blocks run; None to run none.
    """

    def __init__(
        self, folder: Path, place: Free, prelude: Path | None, runner: Runner | None
    ) -> None:
        self._folder, self._place = folder, place
        self._prelude, self._runner = prelude, runner
        self._settings = Settings()
        self._number = 0

    def rows(self, page: str, blocks: Sequence[Block]) -> Iterator[tuple[Row, Block]]:
        """Yield a row for each block of a page, as far as reading alone takes it."""
        for block in blocks:
            line = block.start.line if block.start else 1
            row = Row(page, line, block.language, self._wanted(block))
            if row.wanted is not Level.FOUND:
                self._parse(row, block)
            yield row, block

    def _wanted(self, block: Block) -> Level:
        language = block.language
        wanted = Level.FOUND
        if language in _C:
            wanted = Level.LOADS if BPF.search(block.text) else Level.COMPILES
            if "main(" in block.text.replace(" ", ""):
                wanted = Level.RUNS
        elif language == CONSOLE:
            wanted = Level.PRINTS
        elif language in _PYTHON | _SCRIPTS:
            wanted = Level.RUNS
        elif language != "text" and is_known(language):
            wanted = Level.PARSES
        if self._runner is None:
            wanted = min(wanted, Level.COMPILES if language in _C else Level.PARSES)
        return wanted

    def _parse(self, row: Row, block: Block) -> None:
        try:
            found = fault(block, self._settings)
        except ProofError as error:
            row.why = str(error).partition(": ")[2] or str(error)
            return
        if found:
            row.why = f"line {found[0] + 1}: {found[1]}"
        else:
            row.reached = Level.PARSES

    def climb(self, rows: Sequence[tuple[Row, Block]]) -> Iterator[Row]:
        """Compile and run what can be; yield each row when nothing more becomes of it."""
        with ThreadPoolExecutor() as pool:
            # A compiler may know what our parser does not: it has read the headers.
            made = [
                pool.submit(self._compile, block)
                if row.language in _C and row.wanted is not Level.FOUND
                else None
                for row, block in rows
            ]
            for (row, block), compiled in zip(rows, made, strict=True):
                if compiled is not None:
                    self._compiled(row, compiled.result())
                elif row.reached is Level.PARSES and row.short:
                    self._script(row, block)
                yield row

    def _fresh(self) -> Path:
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        self._place.give(folder)
        return folder

    def _compile(self, block: Block) -> Compiled:
        return compile_block(block.text, self._fresh(), self._place, self._prelude)

    def _compiled(self, row: Row, made: Compiled) -> None:
        if made.why:
            row.why = made.why
            return
        row.reached, row.why, row.prelude = Level.COMPILES, "", made.prelude
        if not row.short or made.path is None or self._runner is None:
            return
        if row.wanted is Level.LOADS:
            row.why = load(self._runner, made.path)
        else:
            row.why = run(self._runner, [f"./{made.path.name}"], made.path.parent)
        if not row.why:
            row.reached = row.wanted

    def _script(self, row: Row, block: Block) -> None:
        runner = self._runner
        if runner is None:
            return
        if block.language == CONSOLE:
            self._commands(runner, row, block)
            return
        folder = self._fresh()
        (folder / "block").write_text(block.text, encoding="utf-8")
        # A guest's commands are root's, and it has no sudo.
        script = ["bash", "-c", 'sudo() { "$@"; }; . ./block']
        words = script if block.language in _SCRIPTS else [sys.executable, "block"]
        row.why = run(runner, words, folder)
        if not row.why:
            row.reached = Level.RUNS

    def _commands(self, runner: Runner, row: Row, block: Block) -> None:
        commands = read_console(block)
        folder = self._fresh()
        done = type_commands(runner, [c.text for c in commands], {}, folder, secrets.token_hex(8))
        asked = [command.asks for command in commands[1:]] + [False]
        for command, (printed, status), expected in zip(commands, done, asked, strict=False):
            if status and not expected:
                last = (printed.splitlines() or [f"status {status}"])[-1]
                row.why = f"`{command.text.splitlines()[0]}`: {last}"
                return
        if len(done) < len(commands):
            row.why = f"`{commands[len(done)].text.splitlines()[0]}` did not end"
            return
        row.reached = Level.RUNS
        for command, (printed, _) in zip(commands, done, strict=True):
            lines = command.comparable(decode(printed.encode()))
            if any(step.mark != " " for step in align(command.shown, lines)):
                row.why = f"`{command.text.splitlines()[0]}` printed something else"
                return
        row.reached = Level.PRINTS

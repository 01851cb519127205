"""A console block to commands: what is typed, and what the page says comes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from proof.errors import ProofError
from proof.example.comparison import ANY_TEXT, says_nothing
from proof.page.blocks import Block
from proof.page.origins import Origin

CONTINUATION = "> "
STATUS = "echo $?"
CTRL_C = "^C"
"""What a terminal shows where a reader interrupts a program."""
_SUDO = re.compile(r"(?:^|[;&|({!]|\b(?:do|then|else|time|while|until|if))\s*sudo\s", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A command of a console block.

    Attributes:
        text: What is typed, without prompts; may be of several lines.
        shown: The output that the page shows, line by line.
        block: The block that it stands in.
        index: Number, from 0, of the block's line that has its prompt.
        first: Number, from 0, of the block's line that its output begins at.
    """

    text: str
    shown: tuple[str, ...]
    block: Block
    index: int
    first: int

    @property
    def origin(self) -> Origin | None:
        """Where the command is written."""
        return self.block.origin(self.index)

    @property
    def asks(self) -> bool:
        """Whether it asks for the status of the command before it."""
        return self.text.strip() == STATUS

    @property
    def needs_kernel(self) -> bool:
        """Whether its text says that it calls `sudo`; whether it did is seen when it has run."""
        return _SUDO.search(self.text) is not None

    @property
    def until(self) -> tuple[str, ...] | None:
        """What the page shows before the reader interrupts the command; None if nobody does."""
        if CTRL_C not in self.shown:
            return None
        return self.shown[: self.shown.index(CTRL_C)]

    def comparable(self, printed: Sequence[str]) -> list[str]:
        """Return the printed lines that a page can show: no block keeps empty lines at its end."""
        lines = list(printed)
        if self.first + len(self.shown) == len(self.block.lines):
            while lines and not lines[-1]:
                lines.pop()
        return lines

    def shown_at(self, index: int) -> Origin | None:
        """Return where a line of the shown output is written; past its end, the last of them.

        Without any shown output, that is the command's own last line.
        """
        last = self.first + len(self.shown) - 1
        return self.block.origin(min(self.first + index, last))


def read_console(block: Block) -> list[Command]:
    """Split a console block into commands and their output.

    A command begins at a line with a prompt, as a rule `$ `; the lines directly below it that begin
    with `> ` continue it, and everything up to the next prompt is output.

    Raises:
        ProofError: The block has no command, or begins with something else than one.
    """
    commands: list[Command] = []
    lines, prompts = block.lines, block.prompts
    if lines and lines[0].startswith("# ") and "# " not in prompts:
        raise ProofError(
            "the prompt `# ` takes the reader to be root; write `$ ` and begin what needs"
            " privilege with `sudo`",
            block.start,
        )
    if not any(line.startswith(prompts) for line in lines):
        raise ProofError(
            f"this console block holds no command; begin each with the prompt `{prompts[0]}`, or"
            " mark the block { .illustration } with the language `text`",
            block.start,
        )
    number = 0
    while number < len(lines):
        prompt = next((p for p in prompts if lines[number].startswith(p)), None)
        if prompt is None:
            raise ProofError(
                "output without a command before it; begin the block with a command at"
                f" `{prompts[0]}`",
                block.origin(number),
            )
        index, typed = number, [lines[number][len(prompt) :]]
        number += 1
        while number < len(lines) and _continues(lines[number]):
            typed.append(lines[number][len(CONTINUATION) :])
            number += 1
        first = number
        while number < len(lines) and not lines[number].startswith(prompts):
            number += 1
        command = Command("\n".join(typed), lines[first:number], block, index, first)
        _check_end(command)
        _check_output(command)
        commands.append(command)
    return commands


def _check_end(command: Command) -> None:
    last = command.text.rsplit("\n", 1)[-1]
    if (len(last) - len(last.rstrip("\\"))) % 2:
        raise ProofError(
            "this line ends with a backslash, but the next one does not go on with the command;"
            f" begin it with `{CONTINUATION}`",
            command.block.origin(command.first - 1),
        )


def _check_output(command: Command) -> None:
    # A lone `[..]` may stand for what no reader compares, a date or a release.
    lone = len(command.shown) == 1 and ANY_TEXT in command.shown[0]
    if says_nothing(command.shown) and not (lone and not command.needs_kernel and not command.asks):
        raise ProofError(
            "this output is nothing but wildcards, which whatever the command prints would match;"
            " show what does not vary, or let the command print nothing (`>/dev/null`)",
            command.block.origin(command.first),
        )


def _continues(line: str) -> bool:
    return line.startswith(CONTINUATION) or line == CONTINUATION.rstrip()

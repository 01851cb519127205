"""Commands to variants: what stands in their place where they print something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proof.errors import ProofError
from proof.example.commands import Command
from proof.example.place import Condition, Place


@dataclass(frozen=True)
class Variant:
    """Commands that somewhere have another output, or another status.

    Attributes:
        condition: Where.
        first: Number, from 0, of the first command of the session that they stand for.
        end: Number of the first one behind them.
        commands: They themselves.
    """

    condition: Condition
    first: int
    end: int
    commands: tuple[Command, ...]

    def overlaps(self, other: Variant) -> bool:
        """Say whether both stand for one and the same command."""
        return other.first < self.end and self.first < other.end


def variant_of(
    where: Condition,
    shown: Sequence[Command],
    commands: Sequence[Command],
    others: Sequence[Variant],
) -> Variant:
    """Find the commands that a block repeats: the last ones above it that are the same.

    Where a command fails on one side only, `echo $?` follows on that side only.

    Args:
        where: Where the block holds.
        shown: Its commands.
        commands: Those of the session above it.
        others: The variants above it.

    Raises:
        ProofError: It repeats nothing, or what another one already has for the same places.
    """
    span = _span([command.text for command in shown if not command.asks], commands)
    if span is None:
        raise ProofError(
            "this output is for some places only, but the commands are none of the blocks above it;"
            " repeat the commands, one or several in a row, that print something else there",
            shown[0].block.start,
        )
    variant = Variant(where, *span, tuple(shown))
    for other in others:
        if other.condition == where and variant.overlaps(other):
            raise ProofError(
                f"the block at {other.commands[0].block.start} already says what these commands"
                " print there; take one of the two away",
                shown[0].block.start,
            )
    return variant


def on(
    place: Place, commands: Sequence[Command], variants: Sequence[Variant]
) -> tuple[Command, ...]:
    """Return the commands with the output that the page shows for a place."""
    hold: list[Variant] = []
    for variant in variants:
        # Of two that hold for one command, the first on the page does.
        if variant.condition.holds(place) and not any(map(variant.overlaps, hold)):
            hold.append(variant)
    chosen = list(commands)
    # From the last, so that those before it keep their numbers.
    for variant in sorted(hold, key=lambda v: v.first, reverse=True):
        chosen[variant.first : variant.end] = variant.commands
    return tuple(chosen)


def _span(typed: Sequence[str], commands: Sequence[Command]) -> tuple[int, int] | None:
    """Find the last run of commands with these texts, but for questions for a status."""
    for first in range(len(commands) - 1, -1, -1):
        end, left = first, list(typed)
        while end < len(commands) and left and not commands[first].asks:
            if not commands[end].asks and left.pop(0) != commands[end].text:
                left = []
                break
            end += 1
        else:
            if typed and not left:
                while end < len(commands) and commands[end].asks:
                    end += 1
                return first, end
    return None

"""Proof to page: rewrite the shown output in the source so that it is what was printed.

Only ever done when asked for: the one thing here that writes to a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proof.errors import ProofError
from proof.example.commands import CONTINUATION, Command
from proof.example.comparison import ANY_LINES, align, decode, visible
from proof.page.origins import Origin
from proof.run.prove import Proof
from proof.whole import write_whole


def update_output(proof: Proof, root: Path) -> list[str]:
    """Rewrite what the page shows wherever a command printed something else.

    Shown lines that still match, with their wildcards, stay as they are.

    Args:
        proof: What came of the example.
        root: The directory that the example's positions are named from.

    Returns:
        The positions of the commands whose output was rewritten.

    Raises:
        ProofError: The output cannot stand on a page, or has no place of its own in the source.
    """
    changes: dict[Origin, tuple[Command, list[str]]] = {}
    for _, command, outcome in proof.seen():
        new = rewritten(command.shown, command.comparable(decode(outcome.output)))
        origin = command.origin
        if new != list(command.shown) and outcome.status is not None and origin:
            changes.setdefault(origin, (command, new))
    # From the end of each file, so that the lines above keep their numbers.
    for _, (command, new) in sorted(changes.items(), reverse=True):
        _replace(command, new, root)
    return [str(origin) for origin in sorted(changes)]


def rewritten(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """Return what to show so that it matches what was printed, with as few changes as possible."""
    steps = align(shown, printed)
    lines: list[str] = []
    for number in range(len(shown) + 1):
        here = [step for step in steps if step.shown == number]
        lines += [step.text for step in here if step.mark == "+"]
        if number < len(shown) and (
            shown[number].strip() == ANY_LINES or any(step.mark == " " for step in here)
        ):
            lines.append(shown[number])
    return lines


def _replace(command: Command, new: Sequence[str], root: Path) -> None:
    block = command.block
    last = command.first - 1
    end = block.origin(last)
    old = [block.origin(command.first + n) for n in range(len(command.shown))]
    if end is None or [o and (o.path, o.line) for o in old] != [
        (end.path, end.line + 1 + n) for n in range(len(old))
    ]:
        raise ProofError("this output is put together from several files; edit it", command.origin)
    for number, line in enumerate(new):
        if visible(line.replace("\t", "").rstrip(" ")) != line.replace("\t", "").rstrip(" "):
            raise ProofError(
                f"this command printed `{visible(line)}`, which a page cannot show; let it print"
                " text, or show `[..]` in its place",
                command.origin,
            )
        if line.startswith((*block.prompts, "```", "~~~")) or (
            number == 0 and line.startswith(CONTINUATION)
        ):
            raise ProofError(
                f"this command printed `{line}`, which on a page would be no output; let it print"
                " something else, or show `...` in its place",
                command.origin,
            )
    path = root / end.path
    with path.open(encoding="utf-8", newline="") as file:
        lines = file.read().splitlines(keepends=True)
    typed = lines[end.line - 1]
    text = typed.rstrip("\r\n")
    if not text.rstrip().endswith(block.lines[last].rstrip()):
        raise ProofError(
            "an extension or a plugin of the site writes this block's text; edit it", command.origin
        )
    newline = typed[len(text) :] or "\n"
    # What indents the block (or quotes it) stands before the command, too.
    prefix = text[: len(text) - len(block.lines[last])]
    fresh = [(prefix + line if line else prefix.rstrip()) + newline for line in new]
    lines[end.line : end.line + len(old)] = fresh
    write_whole(path, "".join(lines))

"""An example's blocks to sessions: what each block is, and which blocks each reader has.

Sibling tabs that hold commands (C, Python) are alternatives, of which a reader takes one.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from proof.errors import ProofError
from proof.example.commands import Command, read_console
from proof.example.place import Place, condition
from proof.example.variants import Variant, on, variant_of
from proof.page.blocks import CONSOLE, Block

ILLUSTRATION = "illustration"
DIFFERS = "differs"


class Role(enum.Enum):
    """What becomes of a block."""

    FILE = "file"
    CONSOLE = "commands"
    ILLUSTRATION = "illustration"
    UNACCOUNTED = "unaccounted"


@dataclass(frozen=True)
class Session:
    """What one reader does: the files to write and the commands to type.

    Attributes:
        label: The tabs chosen ("C", "Python"), or "" where there is no choice.
        files: The block of each file, by the name under its title.
        commands: The commands, in the page's order.
        variants: What stands, somewhere, in the place of some of them.
    """

    label: str
    files: dict[str, Block]
    commands: tuple[Command, ...]
    variants: tuple[Variant, ...] = ()

    def commands_on(self, place: Place) -> tuple[Command, ...]:
        """Return the commands with the output that the page shows for a place."""
        return on(place, self.commands, self.variants)


def role(block: Block) -> Role:
    """Say what becomes of a block by its marks alone."""
    if ILLUSTRATION in block.classes:
        return Role.ILLUSTRATION
    if block.language == CONSOLE:
        return Role.CONSOLE
    return Role.FILE if block.title else Role.UNACCOUNTED


def sessions_of(blocks: Sequence[Block]) -> tuple[Session, ...]:
    """Make a session for each alternative of an example, or the one if there is no choice.

    Raises:
        ProofError: The tabs contradict each other, or a file or a console block is wrong.
    """
    return tuple(_session(label, blocks) for label in _alternatives(blocks))


def _console_sets(blocks: Sequence[Block]) -> dict[str, list[str]]:
    """Return the labels, of those tabs that hold commands, of each set of tabs that does."""
    sets: dict[str, list[str]] = {}
    for block in blocks:
        if role(block) is Role.CONSOLE:
            for tab in block.tabs:
                labels = sets.setdefault(tab.set, [])
                if tab.label not in labels:
                    labels.append(tab.label)
    return sets


def _choice(block: Block, blocks: Sequence[Block]) -> tuple[str, ...]:
    """Return the labels of the alternatives that a block belongs to, outermost first.

    Tabs without commands are no choice: their files serve everyone.
    """
    sets = _console_sets(blocks)
    return tuple(t.label for t in block.tabs if t.label in sets.get(t.set, ()))


def _alternatives(blocks: Sequence[Block]) -> list[tuple[str, ...]]:
    consoles = [b for b in blocks if role(b) is Role.CONSOLE]
    chosen = list(dict.fromkeys(_choice(b, blocks) for b in consoles))
    leaves = [c for c in chosen if not any(o != c and o[: len(c)] == c for o in chosen)]
    # Sets side by side (one to build, one to run) are linked by their labels, which must agree.
    outer: dict[str, set[str]] = {}
    for block in consoles:
        if block.tabs:
            outer.setdefault(block.tabs[0].set, set()).add(block.tabs[0].label)
    if len({frozenset(labels) for labels in outer.values()}) > 1:
        raise ProofError(
            "the tabs that hold commands must carry the same labels throughout an example, but"
            f" here they are {' and '.join('/'.join(sorted(v)) for v in outer.values())}",
            consoles[0].start,
        )
    return leaves


def _session(label: tuple[str, ...], blocks: Sequence[Block]) -> Session:
    files: dict[str, Block] = {}
    commands: list[Command] = []
    variants: list[Variant] = []
    for block in blocks:
        mine = _choice(block, blocks)
        if mine != label[: len(mine)]:
            continue
        if role(block) is Role.CONSOLE:
            where = condition(block.title, block.start)
            if where is None:
                commands += read_console(block)
            else:
                variants.append(variant_of(where, read_console(block), commands, variants))
        elif role(block) is Role.FILE:
            name = _file_name(block)
            if name in files and files[name].text != block.text:
                raise ProofError(
                    f"a second, different file {name!r}, after the one at {files[name].start};"
                    " give it another name",
                    block.start,
                )
            files.setdefault(name, block)
    return Session(" / ".join(label), files, tuple(commands), tuple(variants))


def _file_name(block: Block) -> str:
    path = PurePosixPath(block.title or "")
    if path.is_absolute() or ".." in path.parts or str(path) in (".", "") or "~" in path.parts:
        raise ProofError(
            f"the title {block.title!r} is no name for a file of an example; write a path below"
            " the reader's empty directory",
            block.start,
        )
    return str(path)

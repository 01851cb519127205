"""Example to hash: what decides whether a record is of an example as it stands on its page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from proof.errors import ProofError
from proof.example.commands import Command
from proof.example.examples import Example
from proof.example.session import DIFFERS, Session


def digest(example: Example) -> str:
    """Hash all that decides what a reader does and sees: files, commands and shown output."""
    sessions = [
        {
            "label": session.label,
            "files": {name: block.text for name, block in session.files.items()},
            "commands": _listed(session.commands),
            **({"variants": _variants(session)} if session.variants else {}),
        }
        for session in example.sessions
    ]
    text = json.dumps(sessions, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def distinct(examples: Iterable[Example]) -> list[Example]:
    """Return each example once, however many pages include the file that it is written in.

    Raises:
        ProofError: Such a file holds two examples, which could not be told apart.
    """
    found: dict[str, Example] = {}
    for example in examples:
        first = found.setdefault(example.name, example)
        if first is not example and digest(first) != digest(example):
            raise ProofError(
                f"{example.file} is an example on {first.page}, and another one on {example.page};"
                " write each example into a file of its own"
            )
    return list(found.values())


def _listed(commands: Sequence[Command]) -> list[list[object]]:
    return [[c.text, list(c.shown), DIFFERS in c.block.classes] for c in commands]


def _variants(session: Session) -> list[list[object]]:
    return [[v.commands[0].block.title, v.first, _listed(v.commands)] for v in session.variants]

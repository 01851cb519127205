"""What a repository sets for the engine: the table `[tool.proof]` of its pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from proof.errors import ProofError

FILE = "pyproject.toml"
_TABLE = "[tool.proof]"


@dataclass(frozen=True, eq=False)
class Settings:
    """The settings; in the file their names have dashes. All paths start from the file's folder.

    Attributes:
        records: The directory of the records.
        pages: Markdown files that have examples, as paths from the root: beside the pages of a
            MkDocs site, or in a folder of plain Markdown the only ones, also as patterns (without
            the setting, every Markdown file is a page).
        without_plugins: Plugins of MkDocs that do not take part when the engine renders a page:
            what they write is no author's Markdown.
        example_heading: A pattern for the beginning of a heading whose section is an example, with
            all below it, and must have commands.
        console_languages: Languages of blocks that hold commands, each after a prompt, and what
            they print. A block in a language of scripts (bash, sh, shell, zsh) does so only if it
            begins with a prompt.
        prompts: What a command may begin with.
        record_command: What a user types to record the examples on this kernel.
        matrix_command: What a user types to record them on all kernels.
        probe: A Python script that tells what a kernel is, and whether examples can run there. It
            must stand alone, as it is run on each kernel as text. It prints an object of JSON:
            `kernel` (the release), `arch` and whatever else a record shall keep of a place, all of
            them texts, and `refusal`: null, or why examples cannot run there and what to do. With
            arguments, the words of an example's `data-requires`, it also prints `lacks`: a list of
            those that the kernel has nothing for.
            Without one, a place is its kernel and architecture, and examples can run anywhere.
        tools: For each column of a record that a program fills in, what prints its version.
        tested: For each package of the repository that examples use, the files that it is made of,
            as paths and patterns with spaces between them. The record of an example in whose code
            the package's name stands keeps a hash of them.
        refusals: Patterns of a line by which an example says that the kernel lacks what the probe
            misses, the plainest first. Without any, no example may fail.
        c_words: Words of C that an illustration may use as if they were not there.
        c_annotations: The same of macros with arguments.
        c_declarations: Macros with arguments that stand for a declaration.
        c_loops: Macros with arguments that stand for the head of a loop.
    """

    records: str = "records"
    pages: tuple[str, ...] = ()
    without_plugins: tuple[str, ...] = ()
    example_heading: str = "Example"
    console_languages: tuple[str, ...] = ("console", "shell-session", "shell", "sh", "bash")
    prompts: tuple[str, ...] = ("$ ",)
    record_command: str = "python -m proof record"
    matrix_command: str = "python -m proof matrix --record"
    probe: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    tested: Mapping[str, str] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    c_words: tuple[str, ...] = ()
    c_annotations: tuple[str, ...] = ()
    c_declarations: tuple[str, ...] = ()
    c_loops: tuple[str, ...] = ()


@lru_cache
def read(root: Path) -> Settings:
    """Read the settings of a repository, once a process.

    Args:
        root: Its root; a file without the table, or none, leaves every setting as it is.

    Raises:
        ProofError: The file is no TOML, or a setting is unknown or of another type.
    """
    path = root / FILE
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProofError(f"{path}: cannot be read: {error}") from error
    table = data.get("tool", {}).get("proof", {})
    known = {each.name.replace("_", "-"): each.name for each in fields(Settings)}
    for key in table:
        if key not in known:
            raise ProofError(
                f"{path}: {_TABLE} has no setting {key!r}; known are {', '.join(known)}"
            )
    values = {known[key]: _value(path, key, value) for key, value in table.items()}
    return Settings(**values)


def _value(path: Path, key: str, value: object) -> Any:  # noqa: ANN401 - as the setting has it
    like = getattr(Settings(), key.replace("-", "_"))
    wanted = {"str": "a string", "tuple": "a list of strings", "dict": "a table of strings"}
    texts: list[object] = [value]
    if isinstance(like, tuple) and isinstance(value, list):
        texts = value
        value = tuple(value)
    elif isinstance(like, dict) and isinstance(value, dict):
        texts = list(value.values())
    if type(value) is not type(like) or not all(isinstance(text, str) for text in texts):
        raise ProofError(
            f"{path}: {key} in {_TABLE} must be {wanted[type(like).__name__]}, not {value!r}"
        )
    if key in ("refusals", "example-heading"):
        for text in texts:
            try:
                re.compile(str(text))
            except re.error as error:
                raise ProofError(f"{path}: {key} in {_TABLE}: {text!r}: {error}") from error
    return value

"""Turns the docstrings of `_core.pyi` into a C header, so that `help()` and the site say the same.

The C surface of the ring, its signatures and its words stand in `_core.pyi` alone.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

STUB = Path("userrb/_core.pyi")
HEADER = Path("userrb/csrc/docs.h")


def signature(function: ast.FunctionDef) -> str:
    """Write a signature as Python reads it from a C function's docstring: without types."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None
    first = (arguments.posonlyargs or arguments.args)[0]
    first.arg = "$self"
    if not arguments.posonlyargs:
        arguments.posonlyargs.append(arguments.args.pop(0))
    return f"{function.name}({ast.unparse(arguments)})\n--\n\n"


def definitions(stub: str) -> dict[str, str]:
    """Return the docstring of each class, method and property, by its macro's name."""
    found: dict[str, str] = {}
    for class_ in ast.parse(stub).body:
        if not isinstance(class_, ast.ClassDef):
            continue
        if text := ast.get_docstring(class_):
            found[f"DOC_{class_.name}"] = text
        for part in class_.body:
            if not isinstance(part, ast.FunctionDef) or not (text := ast.get_docstring(part)):
                continue
            is_property = any(ast.unparse(mark) == "property" for mark in part.decorator_list)
            words = inspect.cleandoc(text)
            found[f"DOC_{class_.name}_{part.name}"] = (
                words if is_property else signature(part) + words
            )
    return found


def write() -> None:
    """Write the header."""
    lines = ["/* Made from _core.pyi by _core_docs_build.py. */"]
    # A JSON string of ASCII is a C string, but for \u, which C takes in identifiers' range only.
    for name, text in definitions(STUB.read_text()).items():
        lines.append(f"#define {name} {json.dumps(text, ensure_ascii=False)}")
    HEADER.write_text("\n".join(lines) + "\n")

"""BTF to text: the kfuncs of a kernel, as C declares them.

They are kept as data, as the newest kernel has most of them, and few run it. On any machine,
`python -m facts --kfuncs FILE` takes them from the BTF of a kernel (6.10 or newer, whose BTF marks
them).
"""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from facts.errors import FactError

_DATA = Path(__file__).parent / "kfuncs.json"
_MARK = "bpf_kfunc"
_WORDS = {
    "STRUCT": "struct ",
    "UNION": "union ",
    "ENUM": "enum ",
    "ENUM64": "enum ",
    "FWD": "struct ",
}

Type = dict[str, Any]
"""A type as `bpftool --json btf dump` prints it."""


@cache
def prototypes() -> dict[str, str]:
    """Return the declaration of each kfunc of the newest kernel."""
    return dict(json.loads(_DATA.read_text(encoding="utf-8")))


def prototype(name: str) -> str:
    """Return the declaration of a kfunc."""
    if name not in prototypes():
        raise FactError(f"{_DATA.name} knows no kfunc {name!r}")
    return prototypes()[name]


def take(btf: Path) -> None:
    """Keep the kfuncs of a kernel.

    Args:
        btf: A copy of its /sys/kernel/btf/vmlinux.

    Raises:
        FactError: bpftool cannot read it, or it marks no function as a kfunc.
    """
    command = ["bpftool", "--json", "btf", "dump", "file", str(btf), "format", "raw"]
    try:
        dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise FactError(f"bpftool cannot read {btf}: {error}") from error
    types: dict[int, Type] = {each["id"]: each for each in json.loads(dumped)["types"]}
    marked = [
        types[t["type_id"]] for t in types.values() if (t["kind"], t["name"]) == ("DECL_TAG", _MARK)
    ]
    found = {function["name"]: _declare(function, types) for function in marked}
    if not found:
        raise FactError(f"{btf} marks no function as a kfunc; take that of Linux 6.10 or newer")
    text = json.dumps(dict(sorted(found.items())), indent=2)
    _DATA.write_text(text + "\n", encoding="utf-8")


def _declare(function: Type, types: dict[int, Type]) -> str:
    its = types[function["type_id"]]
    parameters = [_variable(each["type_id"], each["name"], types) for each in its["params"]]
    inside = ", ".join(parameters) or "void"
    return f"{_variable(its['ret_type_id'], function['name'], types)}({inside});"


def _variable(number: int, name: str, types: dict[int, Type]) -> str:
    """Declare a variable, from its type inwards, as C is read."""
    if number == 0:
        return f"void {name}".strip() if name != "(anon)" else "..."
    its = types[number]
    kind, inner = its["kind"], its.get("type_id", 0)
    if kind == "PTR":
        declared = _variable(inner, f"*{name}", types)
    elif kind in ("CONST", "VOLATILE", "RESTRICT"):
        # For a pointer it comes after the asterisk, for everything else before the type.
        if inner and types[inner]["kind"] == "PTR":
            declared = _variable(inner, f"{kind.lower()} {name}", types)
        else:
            declared = f"{kind.lower()} {_variable(inner, name, types)}"
    elif kind == "TYPE_TAG":
        declared = _variable(inner, name, types)
    elif kind == "FUNC_PROTO":
        inside = ", ".join(_variable(p["type_id"], "", types).strip() for p in its["params"])
        declared = f"{_variable(its['ret_type_id'], f'({name})', types)}({inside or 'void'})"
    else:
        declared = f"{_WORDS.get(kind, '')}{its['name']} {name}"
    return declared

"""libbpf to text: symbol versions from its ELF file, definitions from its headers."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from facts.errors import FactError

_RELEASES = "https://github.com/libbpf/libbpf/releases/tag"


def version_tag(symbol: str) -> str:
    """Write the tag that says since which libbpf there is a function."""
    version = symbol_version(symbol)
    return f"[:octicons-tag-24: {version}]({_RELEASES}/v{version})"


def symbol_version(symbol: str) -> str:
    """Return the version of libbpf that first had a symbol, from the library's version script."""
    versions = _symbols()
    if symbol not in versions:
        raise FactError(f"libbpf exports no symbol {symbol!r}")
    return versions[symbol]


@cache
def _symbols() -> dict[str, str]:
    library = Path(_pkg_config("libdir")) / "libbpf.so"
    listed = _output("readelf", "--wide", "--dyn-syms", str(library))
    return dict(re.findall(r" (\w+)@@LIBBPF_([\d.]+)$", listed, re.MULTILINE))


def definition(name: str) -> str:
    """Write the definition of a function, a helper or (`struct x`) a structure."""
    if name.startswith("struct "):
        found = re.search(rf"(?m)^{re.escape(name)} \{{\n(?:.*\n)*?\}};$", header("libbpf.h"))
        if not found:
            raise FactError(f"libbpf.h defines no {name!r}")
        return f"```c {{ .illustration }}\n{found[0]}\n```"
    return f"`#!c {prototype(name)}`"


def prototype(name: str) -> str:
    """Return the declaration of a function, or the definition of a helper, on one line."""
    helper = rf"(?m)^static [^;(]*\(\* ?(?:const )?{name}\)\([^;]*;"
    if found := re.search(helper, header("bpf_helper_defs.h")):
        # Newer headers say `* const`, which the caller of a helper need not know.
        return " ".join(found[0].replace("(* const ", "(*").split())
    function = rf"(?m)^LIBBPF_API ([\w *\n]*\b{name}\([^;]*;)"
    if found := re.search(function, _code(header("libbpf.h"))):
        return re.sub(r"\s+", " ", found[1]).replace("* ", "*")
    raise FactError(f"neither libbpf.h nor bpf_helper_defs.h declares {name!r}")


def parameters(name: str) -> list[str]:
    """Return the names of a function's parameters."""
    inside = re.split(rf"\b{name}\)?\(", prototype(name))[1].partition(")")[0]
    return [re.findall(r"\w+", part)[-1] for part in inside.split(",") if part.strip() != "void"]


def documented_errors(name: str) -> set[str]:
    """Return the errno names that the header's own comment on a function mentions."""
    for file in ("libbpf.h", "bpf_helper_defs.h"):
        for comment, rest in re.findall(r"/\*((?:(?!\*/)[\s\S])*)\*/\n([^;]*;)", header(file)):
            if re.search(rf"\b{name}\b", rest):
                return set(re.findall(r"\bE[A-Z0-9]{3,}\b", comment))
    return set()


@cache
def header(name: str) -> str:
    """Read a header of libbpf's."""
    path = Path(_pkg_config("includedir")) / "bpf" / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FactError(f"{path} cannot be read; install libbpf's headers (libbpf-dev)") from error


def _code(text: str) -> str:
    return re.sub(r"/\*[\s\S]*?\*/", "", text)


@cache
def _pkg_config(variable: str) -> str:
    return _output("pkg-config", f"--variable={variable}", "libbpf").strip()


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise FactError(f"{' '.join(command)} failed: {error}") from error

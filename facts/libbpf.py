"""libbpf to text: symbol versions from its ELF file, definitions from its headers."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path

from facts.errors import FactError

_RELEASES = "https://github.com/libbpf/libbpf/releases/tag"
_MACROS = Path(__file__).parent / "macro_versions.json"
_API = ("libbpf.h", "bpf.h", "btf.h", "libbpf_legacy.h")
"""The headers that declare what libbpf exports."""
_MACRO_HEADERS = ("bpf_helpers.h", "bpf_core_read.h", "bpf_tracing.h", "bpf_endian.h", "usdt.bpf.h")


def version_tag(name: str) -> str:
    """Write the tag that says since which libbpf there is a function or a macro."""
    version = macros().get(name) or symbol_version(name)
    if version in ("0.0.1", "0.0.2"):
        return f":octicons-tag-24: {version}"  # of which there is no release
    tag = {"0.2.0": "0.2", "0.3.0": "0.3"}.get(version, version)
    return f"[:octicons-tag-24: {version}]({_RELEASES}/v{tag})"


def symbol_version(symbol: str) -> str:
    """Return the version of libbpf that first had a symbol, from the library's version script."""
    versions = symbols()
    if symbol not in versions:
        raise FactError(f"libbpf exports no symbol {symbol!r}")
    return versions[symbol]


@cache
def symbols() -> dict[str, str]:
    """Return the functions that libbpf exports, each with the version that first had it."""
    library = Path(_pkg_config("libdir")) / "libbpf.so"
    listed = _output("readelf", "--wide", "--dyn-syms", str(library))
    return dict(re.findall(r" (\w+)@@LIBBPF_([\d.]+)$", listed, re.MULTILINE))


@cache
def macros() -> dict[str, str]:
    """Return the release that first had a macro; no file of an installed libbpf says so."""
    return dict(json.loads(_MACROS.read_text(encoding="utf-8")))


@cache
def helpers() -> dict[str, int]:
    """Return the helpers that libbpf's headers define, each with its number."""
    found = re.findall(
        r"\(\* ?(?:const )?(\w+)\)\([^;]*\(void \*\) (\d+);", header("bpf_helper_defs.h")
    )
    return {name: int(number) for name, number in found}


def structure(name: str) -> str:
    """Write the definition of a structure, `struct x`."""
    for file in _API:
        if found := re.search(rf"(?m)^{re.escape(name)} \{{\n(?:.*\n)*?\}};$", header(file)):
            return f"```c {{ .illustration }}\n{found[0]}\n```"
    raise FactError(f"no header of libbpf's defines {name!r}")


def function(name: str) -> str:
    """Return the declaration of a function of libbpf's, on one line."""
    declaration = rf"(?m)^LIBBPF_API ([\w *\n]*\b{name}\([^;]*;)"
    for file in _API:
        if found := re.search(declaration, _code(header(file))):
            line = re.sub(r"\s+", " ", found[1]).replace("* ", "*")
            return re.sub(r" LIBBPF_DEPRECATED.*(?=;)", "", line)
    raise FactError(f"no header of libbpf's declares {name!r}")


def helper(name: str) -> str:
    """Return the definition of a helper, on one line."""
    definition = rf"(?m)^static [^;(]*\(\* ?(?:const )?{name}\)\([^;]*;"
    if found := re.search(definition, header("bpf_helper_defs.h")):
        # Newer headers say `* const`, which the caller of a helper need not know.
        return " ".join(found[0].replace("(* const ", "(*").split())
    raise FactError(f"bpf_helper_defs.h has no helper {name!r}")


def macro(name: str) -> str:
    """Return the first line of a macro's definition, which names its parameters."""
    for file in _MACRO_HEADERS:
        if found := re.search(rf"(?m)^#define ({name}\([^)]*\))", header(file)):
            return f"#define {found[1]}"
    raise FactError(f"no header of libbpf's defines a macro {name!r}")


def parameters(prototype: str, name: str) -> list[str]:
    """Return the names of the parameters in a function's prototype, but for `...`."""
    inside = re.split(rf"\b{name}\)?\(", prototype, maxsplit=1)[1]
    # A callback's type has parentheses of its own.
    inside = re.sub(r"\(\*(\w+)\)\([^)]*\)", r"\1", inside).partition(")")[0]
    parts = [re.findall(r"\w+", part) for part in inside.split(",")]
    return [words[-1] for words in parts if words and words != ["void"]]


def documented_errors(name: str) -> set[str]:
    """Return the errno names that the header's own comment on a function mentions."""
    for file in (*_API, "bpf_helper_defs.h"):
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

"""C to objects: compiled here, by an unprivileged user, and not run."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proof.kernel.sandbox import Free

_SECONDS = 30
_LIMITS = 'ulimit -t 20 -v 4000000; exec "$@"'  # seconds of a processor, KiB

BPF = re.compile(r"\bSEC\s*\(")
_MAIN = re.compile(r"\bint\s+main\s*\(")
_CLANG = ("clang", "-O2", "-g", "-target", "bpf", f"-I/usr/include/{platform.machine()}-linux-gnu")
_CC = ("cc", "-O1")


@dataclass(frozen=True)
class Compiled:
    """What a compiler made: the file, or None and why.

    Attributes:
        path: An object for BPF, or a program; None for other objects.
        why: The compiler's first complaint; "" if there was none.
        prelude: Whether the prelude was put before the block.
    """

    path: Path | None
    why: str
    prelude: bool = False


def compile_block(text: str, folder: Path, place: Free, prelude: Path | None) -> Compiled:
    """Compile a block as it stands and, if that fails, with the prelude before it.

    Args:
        text: The block.
        folder: Where the result goes; the compiler's user may write there.
        place: What compilers are confined to.
        prelude: A header with what pages leave out.
    """
    source = folder / ("block.bpf.c" if BPF.search(text) else "block.c")
    source.write_text(text, encoding="utf-8", errors="replace")
    made = _compile(source, text, place, ())
    if not made.why or prelude is None:
        return made
    again = _compile(source, text, place, ("-include", str(prelude)))
    return Compiled(again.path, again.why, prelude=not again.why) if not again.why else made


def _compile(source: Path, text: str, place: Free, options: Sequence[str]) -> Compiled:
    if BPF.search(text):
        target: Path | None = source.with_suffix(".o")
        words = [*_CLANG, *options, "-c", str(source), "-o", str(target)]
    elif _MAIN.search(text):
        target = source.with_suffix("")
        libraries = ["-lbpf"] if "bpf/" in text else []
        words = [*_CC, *options, str(source), "-o", str(target), *libraries, "-lpthread", "-lm"]
    else:
        target = None
        words = [*_CC, *options, "-c", str(source), "-o", "/dev/null"]
    try:
        done = subprocess.run(
            place.reader(["sh", "-c", _LIMITS, "sh", *words]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        return Compiled(None, f"{words[0]} took more than {_SECONDS} seconds")
    if done.returncode:
        return Compiled(None, _complaint(done.stderr) or f"{words[0]} failed")
    return Compiled(target, "")


def _complaint(said: str) -> str:
    """Return the first error, without the place in a file that no reader has."""
    lines = said.splitlines()
    line = next((n for n in lines if re.search(r"\berror:|undefined reference", n)), "")
    return re.sub(r"^.*?(?:error: |(?=undefined reference))", "", line or (lines or [""])[0])

"""Program to log: load a program of one type through libbpf, and keep what the verifier says."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facts.errors import FactError

SOURCE = Path(__file__).parent / "drain.bpf.c"
_COMPILER = Path(__file__).parent.parent / "tools/bpf-cc"
_LOG_SIZE = 1 << 16


@dataclass(frozen=True)
class Kind:
    """How to make a program of a type.

    Attributes:
        section: The name of its ELF section, from which libbpf knows the type.
        needs: What the kernel must be built with, in words for those who read that it is not.
        type: The type's number where libbpf may be too old to know the section.
        attach_type: The number of the attach type that belongs to it.
        defines: Macros that the source is compiled with.
    """

    section: str
    needs: str = ""
    type: int | None = None
    attach_type: int = 0
    defines: tuple[str, ...] = ()


def load(kind: Kind, folder: Path, *, call: bool) -> tuple[int, str]:
    """Load a program of a type.

    Args:
        kind: How to make it.
        folder: Where to compile it.
        call: Whether it calls the helper; one that does not is the control.

    Returns:
        0 or the errno, and the verifier's log.
    """
    defines = [f'SECTION="{kind.section}"', *kind.defines, *(["CALL"] if call else [])]
    path = _compile(folder, defines)
    if kind.section.startswith("freplace"):
        with _Object(_compile(folder, ["TARGET"])) as target:
            if code := target.load()[0]:
                return code, "the program to be replaced does not load"
            with _Object(path) as replacing:
                return replacing.load(replaces=target.fd())
    with _Object(path) as loaded:
        return loaded.load(kind)


def _compile(folder: Path, defines: Sequence[str]) -> Path:
    path = folder / "program.bpf.o"
    path = folder / ("target.bpf.o" if "TARGET" in defines else path.name)
    flags = [f"-D{define}" for define in defines]
    command: list[str | Path] = [_COMPILER, SOURCE, path, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FactError(f"{SOURCE.name} does not compile: {done.stderr}")
    return path


class _Object:
    """An object file of libbpf's with one program, closed at the end."""

    def __init__(self, path: Path) -> None:
        self._bpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
        for name in ("bpf_object__open_file", "bpf_object__next_program"):
            getattr(self._bpf, name).restype = ctypes.c_void_p
        self._bpf.libbpf_set_print(None)
        self._object = ctypes.c_void_p(self._bpf.bpf_object__open_file(os.fsencode(path), None))
        if not self._object:
            raise FactError(f"libbpf cannot open {path.name}: {os.strerror(ctypes.get_errno())}")
        first = self._bpf.bpf_object__next_program(self._object, None)
        self._program = ctypes.c_void_p(first)

    def __enter__(self) -> _Object:
        return self

    def __exit__(self, *_: object) -> None:
        self._bpf.bpf_object__close(self._object)

    def load(self, kind: Kind | None = None, replaces: int | None = None) -> tuple[int, str]:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        size = ctypes.c_size_t(_LOG_SIZE)
        self._bpf.bpf_program__set_log_buf(self._program, log, size)
        self._bpf.bpf_program__set_log_level(self._program, 1)
        if kind and kind.type is not None:
            self._bpf.bpf_program__set_type(self._program, kind.type)
            self._bpf.bpf_program__set_expected_attach_type(self._program, kind.attach_type)
        if replaces is not None:
            self._bpf.bpf_program__set_attach_target(self._program, replaces, b"replaced")
        code = -self._bpf.bpf_object__load(self._object)
        return code, log.value.decode(errors="replace")

    def fd(self) -> int:
        return int(self._bpf.bpf_program__fd(self._program))

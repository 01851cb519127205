"""Global variables of a BPF object: before its load, and after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import userrb

Compile = Callable[[str], Path]

DEFAULTS = 3 - 1 + ord("n") + 9
"""What the program `sum` returns when nothing is set."""


def test_variables_are_set_before_the_load(compile_bpf: Compile) -> None:
    """The program sees the values from the start: constants, data, zeros, statics, structs."""
    path = compile_bpf("entries")
    with userrb.BpfObject(path) as bpf:
        assert bpf.programs["sum"].test_run().retval == DEFAULTS
    values = {
        "limit": 1000,
        "label": b"\1",
        "origin": {"x": 20, "y": 300},
        "offset_": -5,
        "hidden": 7,
        "here": {"y": 4000},
        "table": ((0, 0), (50000, 0)),
        "on": True,
    }
    with userrb.BpfObject(path, globals=values) as bpf:
        run = bpf.programs["sum"].test_run()
        assert run.retval == 1000 + 1 + 320 - 5 + 7 + 4000 + 50000 + 1
        assert bpf.globals["origin"] == {"x": 20, "y": 300}
        assert bpf.globals["label"] == b"\1".ljust(8, b"\0")


def test_variables_are_read_and_written_after_the_load(compile_bpf: Compile) -> None:
    """What Python writes the program reads, and the other way, also in parts of a struct."""
    with userrb.BpfObject(compile_bpf("entries")) as bpf:
        variables = bpf.globals
        assert {"limit", "label", "offset_", "hidden", "counter", "here"} <= set(variables)
        assert "nowhere" not in variables
        assert len(variables) == len(list(variables))
        assert (variables["limit"], variables["offset_"], variables["counter"]) == (3, -1, 0)
        assert bpf.programs["sum"].test_run().retval == DEFAULTS
        assert variables["counter"] == DEFAULTS
        variables["counter"] = 1 << 20
        variables["here"].y = 5
        variables["table"] = ((1, 1), (10, 1))
        assert bpf.programs["sum"].test_run().retval == (1 << 20) + DEFAULTS + 15
        assert variables["here"] == {"x": 0, "y": 5}


def test_a_constant_cannot_be_written_after_the_load(compile_bpf: Compile) -> None:
    """Writing what the kernel has frozen is a TypeError that says what to do, and no crash."""
    with userrb.BpfObject(compile_bpf("entries")) as bpf:
        with pytest.raises(TypeError, match=r"'limit' .* BpfObject\(path, globals="):
            bpf.globals["limit"] = 4
        with pytest.raises(TypeError):
            bpf.globals["origin"].x = 4
        assert bpf.globals["limit"] == 3
        with pytest.raises(KeyError, match="nowhere"):
            bpf.globals["nowhere"] = 1
        with pytest.raises(ValueError, match="counter"):
            bpf.globals["counter"] = -1
        counter, here = bpf.globals, bpf.globals["here"]
    with pytest.raises(userrb.ObjectClosed):
        _ = counter["counter"]
    assert here.y == 0  # its memory stays while it is there


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"nowhere": 1}, r"has no global variable 'nowhere': it has .*limit"),
        ({"limit": 1 << 32}, r"\.rodata\.limit: "),
        ({"limit": "3"}, r"\.rodata\.limit: "),
        ({"label": b"more than 8"}, r"\.rodata\.label: bytes are needed, at most 8"),
        ({"origin": {"z": 1}}, "struct place has no field 'z'"),
        ({"origin": 5}, "origin is a struct"),
        ({"table": ((1,), (2,))}, r"\.bss\.table: 2 values are needed, not 1"),
    ],
)
def test_what_cannot_be_set_is_a_value_error(
    compile_bpf: Compile, values: dict[str, object], words: str
) -> None:
    """A name that is none, or a value that does not fit, is refused before the load."""
    with pytest.raises(ValueError, match=words):
        userrb.BpfObject(compile_bpf("entries"), globals=values)


def test_an_object_without_variables_says_so(compile_bpf: Compile) -> None:
    """Where there are no variables, the error says what may be missing."""
    with pytest.raises(ValueError, match="clang -g"):
        userrb.BpfObject(compile_bpf("refusals"), globals={"limit": 1})

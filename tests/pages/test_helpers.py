"""What the pages of helpers say beyond their examples: errors, limits, what is refused."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from pathlib import Path

import pytest

import userrb

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.needs("BPF_FUNC_loop", "BPF_FUNC_dynptr_write", "BPF_FUNC_snprintf"),
]
Compile = Callable[..., Path]


@pytest.fixture
def returned(compile_bpf: Compile) -> Callable[[str], int]:
    """Return what runs a program of helpers.bpf.c, and says what it returned."""

    def run(name: str) -> int:
        with userrb.BpfObject(compile_bpf("helpers")) as bpf:
            return ctypes.c_int32(bpf.programs[name].test_run().retval).value

    return run


Returned = Callable[[str], int]


def test_the_call_that_stops_a_loop_counts(returned: Returned) -> None:
    """A callback that returns 1 at its third call gives 3, also in a loop of the highest number."""
    assert (returned("loop"), returned("loop_limit")) == (3, 3)


@pytest.mark.row("bpf_loop", "`flags` is not 0")
def test_a_loop_takes_no_flags(returned: Returned) -> None:
    """Another value than 0 is refused."""
    assert returned("loop_flags") == -errno.EINVAL


@pytest.mark.row("bpf_loop", "more than")
def test_a_loop_has_a_limit(returned: Returned) -> None:
    """One more than 8,388,608 calls are refused."""
    assert returned("loop_beyond") == -errno.E2BIG


@pytest.mark.row("bpf_dynptr_read", "not all within")
@pytest.mark.row("bpf_dynptr_write", "not all within")
def test_a_dynptr_keeps_its_bounds(returned: Returned) -> None:
    """The last 8 of 16 bytes can be read and written, and not the 8 after the ninth."""
    assert (returned("read"), returned("write"), returned("data")) == (0, 0, 1)
    assert (returned("read_beyond"), returned("write_beyond")) == (-errno.E2BIG, -errno.E2BIG)
    assert returned("data_beyond") == 0


@pytest.mark.row("bpf_dynptr_read", "`flags` is not 0")
@pytest.mark.row("bpf_dynptr_write", "`flags` is not 0")
def test_an_invalid_dynptr_and_flags_are_refused(returned: Returned) -> None:
    """A dynptr that could not be made is refused while the program runs, as flags are."""
    for name in ("read_flags", "write_flags", "read_invalid", "write_invalid"):
        assert returned(name) == -errno.EINVAL
    assert returned("data_invalid") == 0


def test_the_size_of_a_text_does_not_depend_on_the_room(compile_bpf: Compile) -> None:
    """Six digits are 7 bytes, into 4 bytes, which end with a zero, as into none."""
    with userrb.BpfObject(compile_bpf("helpers")) as bpf:
        assert bpf.programs["text"].test_run().retval == 7
        assert bytes(bpf.globals["cut"]) == b"123\0"
        assert bpf.programs["text_without_room"].test_run().retval == 7


def test_a_format_without_enough_values_does_not_load(compile_bpf: Compile) -> None:
    """The format is checked at the load."""
    with pytest.raises(userrb.LoadError) as caught:
        userrb.BpfObject(compile_bpf("helpers", "FORMAT_WITHOUT_VALUE"))
    assert "Invalid format string" in caught.value.log

"""What the pages of helpers for packets say beyond their examples."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import userrb

pytestmark = [pytest.mark.kernel, pytest.mark.needs("BPF_FUNC_xdp_load_bytes")]

PACKET = b"ABCDEFGHIJKLMNOPQRST"
BEFORE = b"........"
XDP_ABORTED, XDP_TX = 0, 3
Seen = tuple[int, bytes]


@pytest.fixture
def bpf(compile_bpf: Callable[[str], Path]) -> Iterator[userrb.BpfObject]:
    """Load packets.bpf.c."""
    with userrb.BpfObject(compile_bpf("packets")) as loaded:
        yield loaded


@pytest.fixture
def seen(bpf: userrb.BpfObject) -> Callable[[str], Seen]:
    """Return what runs a program on a packet, and says what the helper returned and copied."""

    def run(name: str) -> Seen:
        bpf.globals["bytes"] = BEFORE
        bpf.programs[name].test_run(data=PACKET)
        return bpf.globals["returned"], bytes(bpf.globals["bytes"])

    return run


@pytest.mark.parametrize("name", ["skb_within", "xdp_within"])
def test_the_last_bytes_can_be_read(seen: Callable[[str], Seen], name: str) -> None:
    """The last 8 of 20 bytes are within the packet."""
    assert seen(name) == (0, PACKET[-8:])


@pytest.mark.row("bpf_skb_load_bytes", "not all within")
def test_beyond_a_packet_there_are_zeros(seen: Callable[[str], Seen]) -> None:
    """A byte too far is an error, and the buffer is filled with zeros."""
    assert seen("skb_beyond") == (-errno.EFAULT, bytes(8))


@pytest.mark.row("bpf_xdp_load_bytes", "not all within")
def test_beyond_a_packet_nothing_is_copied(seen: Callable[[str], Seen]) -> None:
    """A byte too far is an error, and the buffer is as before."""
    assert seen("xdp_beyond") == (-errno.EINVAL, BEFORE)


@pytest.mark.row("bpf_xdp_load_bytes", "more than 0xffff")
def test_an_offset_has_a_limit(seen: Callable[[str], Seen]) -> None:
    """An offset of 0x10000 is another error."""
    assert seen("xdp_far") == (-errno.EFAULT, BEFORE)


def test_a_sum_is_of_what_came_less_what_went(seen: Callable[[str], Seen]) -> None:
    """1 + 2 + 3 + 4 are 10, and 9 where a 1 went."""
    assert (seen("sum")[0], seen("sum_without")[0]) == (10, 9)


def test_without_an_element_the_flags_decide(bpf: userrb.BpfObject) -> None:
    """An empty element and a key beyond the map give the action that `flags` names."""
    for name in ("redirect_nowhere", "redirect_beyond"):
        assert bpf.programs[name].test_run(data=PACKET).retval == XDP_TX


def test_unknown_flags_abort(bpf: userrb.BpfObject) -> None:
    """A flag that the kernel does not know gives XDP_ABORTED."""
    assert bpf.programs["redirect_flags"].test_run(data=PACKET).retval == XDP_ABORTED

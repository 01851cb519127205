"""Struct layouts from the BPF object's BTF, proven by what the BPF program reads."""

from __future__ import annotations

import copy
import struct

import numpy as np
import pytest

import userrb
from userrb._libbpf import lib
from userrb.btf import read_structs


def test_the_program_reads_what_named_fields_wrote(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """Fields written by name, packed, and by dtype arrive where the program looks for them."""
    event = bpf.structs["event"]
    assert event.size == 40
    with ring.reserve(event.size) as sample:
        sample[:] = bytes(event.size)
        fields = event.at(sample)
        fields.kind, fields.pid, fields.name, fields.when = 1, 20, b"\x00\x07", 4000
        fields.ports = (0, 0, 300)
        assert fields.pid == 20
        assert fields.ports == (0, 0, 300)
        assert fields.name[:2] == b"\x00\x07"
    assert bpf.programs["drain_events"].test_run().retval == 1 + 20 + 7 + 4000 + 300

    ring.write(event.pack(pid=5, ports=[0, 0, 6]))
    assert bpf.programs["drain_events"].test_run().retval == 11

    records = np.zeros(3, dtype=event.dtype)
    records["pid"] = [1, 10, 100]
    records["ports"][:, 2] = 1000
    assert ring.submit_many(records) == 3
    assert bpf.programs["drain_events"].test_run().retval == 3111


def test_a_dtype_has_the_padding(bpf: userrb.BpfObject) -> None:
    """Offsets and size of the dtype are the compiler's."""
    dtype = bpf.structs["event"].dtype
    assert dtype.itemsize == 40
    assert dtype.fields is not None
    offsets = {name: field[1] for name, field in dtype.fields.items()}
    assert offsets == {"kind": 0, "pid": 4, "name": 8, "when": 24, "ports": 32}


def test_fields_refuse_after_submit(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """Named fields hold no view: the sample can be submitted, and is out of reach then."""
    event = bpf.structs["event"]
    sample = ring.reserve(event.size)
    fields = event.at(sample)
    fields.pid = 1
    ring.submit(sample)
    with pytest.raises(userrb.SampleError):
        fields.pid = 2
    with pytest.raises(userrb.SampleError):
        _ = fields.pid


def test_every_kind_of_member(bpf: userrb.BpfObject) -> None:
    """Numbers, enums, arrays, nested and anonymous members, pointers and bit-fields round-trip."""
    layout = bpf.structs["everything"]
    record = bytearray(layout.size)
    fields = layout.at(record)
    fields.flag, fields.small, fields.large = True, -1, -(1 << 63)
    fields.colour = 1 << 30
    fields.matrix = ((1, 2, 3), (4, 5, 6))
    fields.names = (b"abcd", b"e")
    fields.word = 0x01020304
    fields.points[1].y = -7
    fields.named.inner = 9
    fields.pointer = 1 << 63
    fields.qualified = 8
    fields.low, fields.high, fields.negative = 5, 1 << 28, -16
    again = layout.at(bytearray(bytes(record)))
    assert (again.flag, again.small, again.large) == (True, -1, -(1 << 63))
    assert again.colour == 1 << 30
    assert again.matrix == ((1, 2, 3), (4, 5, 6))
    assert again.names == (b"abcd", b"e\0\0\0")
    assert sorted(again.bytes) == [1, 2, 3, 4]
    assert (again.points[0].y, again.points[1].y) == (0, -7)
    assert (again.named.inner, again.pointer, again.qualified) == (9, 1 << 63, 8)
    assert (again.low, again.high, again.negative) == (5, 1 << 28, -16)
    assert again.tail == ()
    assert "matrix" in dir(again)
    assert "negative=-16" in repr(again)


def test_what_does_not_fit_is_a_value_error(bpf: userrb.BpfObject) -> None:
    """A value that does not fit its field raises, names the field, and changes nothing."""
    layout = bpf.structs["everything"]
    record = bytearray(layout.size)
    fields = layout.at(record)
    for name, value in {
        "small": 128,
        "low": 8,
        "negative": 16,
        "matrix": ((1, 2), (3, 4)),
        "names": (b"12345", b""),
        "large": 1 << 63,
    }.items():
        with pytest.raises(ValueError, match=f"everything.{name}"):
            setattr(fields, name, value)
    with pytest.raises(AttributeError, match="has no field 'nowhere': it has flag"):
        fields.nowhere = 1
    with pytest.raises(AttributeError, match="is a struct"):
        fields.named = 1
    with pytest.raises(AttributeError):
        layout.pack(nowhere=1)
    with pytest.raises(ValueError, match="bit-field"):
        _ = layout.dtype
    assert record == bytes(layout.size)


def test_bool_bit_fields_leave_each_other_alone(bpf: userrb.BpfObject) -> None:
    """A _Bool bit-field is one bit of its byte, True or False."""
    flags = bpf.structs["flags"]
    assert flags.pack(second=True) == b"\2"
    assert flags.pack(first=np.uint8(1), second=0, third=True) == b"\5"
    fields = flags.at(bytearray(b"\6"))
    assert (fields.first, fields.second, fields.third) == (False, True, True)


def test_packed_bit_fields_may_lie_across_their_type(bpf: userrb.BpfObject) -> None:
    """Bit-fields of a packed struct are where clang put them, up to its last byte."""
    packed = bpf.structs["packed"]
    record = packed.pack(before=5, across=(1 << 30) - 2, last=-3)
    value = 5 | ((1 << 30) - 2) << 3 | (128 - 3) << 33
    assert record == value.to_bytes(5, "little")
    fields = packed.at(bytearray(record))
    assert (fields.before, fields.across, fields.last) == (5, (1 << 30) - 2, -3)
    with pytest.raises(ValueError, match=r"packed\.last"):
        packed.at(bytearray(4)).last = 1


def test_members_without_a_size_are_empty(bpf: userrb.BpfObject) -> None:
    """Flexible and zero-length arrays, and empty structs, are read, shown and put in a dtype."""
    layout = bpf.structs["sizeless"]
    fields = layout.at(bytearray(layout.pack(self=3)))
    assert (fields.self, fields.text, fields.lines, fields.points) == (3, b"", (), ())
    assert fields.table == ((), ())
    assert [repr(part) for part in (fields.none, *fields.many)] == ["<nothing: >"] * 3
    assert "self=3" in repr(fields)
    assert layout.dtype.itemsize == layout.size


def test_named_fields_are_copied_with_their_record(bpf: userrb.BpfObject) -> None:
    """A copy of named fields reads the same record; a deep copy has its own."""
    fields = bpf.structs["event"].at(bytearray(40))
    shallow, deep = copy.copy(fields), copy.deepcopy(fields)
    fields.pid = 7
    assert (shallow.pid, deep.pid) == (7, 0)


@pytest.mark.parametrize(
    ("member", "third"),
    [
        pytest.param((99, 1), (), id="no such type"),
        pytest.param((1, 1 << 20), (), id="no such name"),
        pytest.param((2, 1), (), id="a struct in itself"),
        pytest.param((3, 1), (1, 8 << 24, 3), id="a typedef of itself"),
        pytest.param((3, 1), (0, 3 << 24, 0, 3, 1, 1), id="an array of itself"),
    ],
)
def test_a_struct_with_broken_types_is_left_out(
    member: tuple[int, int], third: tuple[int, ...]
) -> None:
    """BTF that the kernel has not looked at is neither followed out of bounds nor for ever."""
    number = (1, 1 << 24, 4, 32)
    broken = (1, 4 << 24 | 1, 4, member[1], member[0], 0)
    types = b"".join(struct.pack("=I", word) for word in (*number, *broken, *third))
    header = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), 8)
    raw = header + types + b"\0broken\0"
    btf = lib.btf__new(raw, len(raw))
    try:
        assert "broken" not in read_structs(btf)
    finally:
        lib.btf__free(btf)

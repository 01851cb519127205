"""Maps as dicts: typed by their BTF, on the kernel."""

from __future__ import annotations

import array
import errno
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

import userrb


@pytest.fixture
def maps(compile_bpf: Callable[[str], Path]) -> Iterator[Mapping[str, userrb.BpfMap]]:
    """The maps of tests/bpf/entries.bpf.c."""
    with userrb.BpfObject(compile_bpf("entries")) as bpf:
        yield bpf.maps


Maps = Mapping[str, userrb.BpfMap]


def test_a_hash_is_a_dict(maps: Maps) -> None:
    """Setting, reading, asking, deleting and counting are a dict's, and so is KeyError."""
    numbers = maps["numbers"]
    assert len(numbers) == 0
    assert bool(numbers)
    assert list(numbers) == []
    numbers[1], numbers[2] = -5, 6
    assert (numbers[1], numbers.get(2), numbers.get(3), numbers.get(3, "no")) == (-5, 6, None, "no")
    assert 1 in numbers
    assert 3 not in numbers
    assert (len(numbers), sorted(numbers)) == (2, [1, 2])
    assert dict(numbers.items()) == {1: -5, 2: 6}
    assert sorted(numbers.values()) == [-5, 6]
    del numbers[1]
    for call in (lambda: numbers[1], lambda: numbers.__delitem__(1)):
        with pytest.raises(KeyError, match="1"):
            call()
    assert (numbers.delete(1), numbers.delete(2)) == (False, True)
    assert len(numbers) == 0


def test_structs_are_dicts_and_fields(maps: Maps) -> None:
    """Keys and values that are structs are written as dicts and read as fields."""
    places = maps["places"]
    places[{"x": 1, "y": 2}] = {"count": -3, "name": b"here"}
    found = places[{"x": 1, "y": 2}]
    assert (found.count, found.name) == (-3, b"here\0\0\0\0")
    (key,) = places
    assert key == {"x": 1, "y": 2}
    assert places[key] == found
    assert {key: 1}[key] == 1
    with pytest.raises(TypeError):
        found.count = 1
    places[key] = found
    with pytest.raises(TypeError, match="a key of map 'places'"):
        _ = places[5]
    with pytest.raises(ValueError, match="a value of map 'places'"):
        places[key] = {"count": 1 << 63}


def test_bytes_are_always_accepted(maps: Maps) -> None:
    """Bytes of the right size stand for any key or value; any other buffer counts its bytes."""
    numbers, other = maps["numbers"], struct.pack("=q", -9)
    numbers[struct.pack("=I", 7)] = other
    assert numbers[7] == -9
    assert numbers.lookup(7) == numbers.lookup(array.array("I", [7])) == other
    assert numbers[np.uint32(7)] == numbers[np.int64(7)] == -9
    with pytest.raises(ValueError, match="4 bytes, not 8"):
        numbers.lookup(array.array("Q", [7]))
    with pytest.raises(ValueError, match="8 bytes, not 4"):
        numbers[7] = bytes(4)
    maps["untyped"][b"abc"] = b"12345"
    assert dict(maps["untyped"].items()) == {b"abc": b"12345"}
    with pytest.raises(TypeError, match="does not say"):
        maps["untyped"][5] = b"12345"
    maps["words"][b"one"] = (1, 2)
    assert dict(maps["words"].items()) == {b"one\0\0\0\0\0": (1, 2)}
    assert maps["words"][b"one"] == (1, 2)
    for key, value in ((5, "x"), (1 << 32, 0), (-1, 0), ("x", 0), (None, 0)):
        with pytest.raises((ValueError, TypeError), match="of map 'numbers'"):
            numbers[key] = value


def test_an_array_has_all_its_keys(maps: Maps) -> None:
    """An array counts and lists its keys; one beyond is no key, and none can be deleted."""
    entries = maps["array"]
    entries[2] = 5
    assert (len(entries), list(entries.items())) == (3, [(0, 0), (1, 0), (2, 5)])
    assert 3 not in entries
    with pytest.raises(userrb.BpfError, match="updating a key of map 'array'") as caught:
        entries[3] = 1
    assert caught.value.errno == errno.E2BIG
    with pytest.raises(userrb.BpfError) as caught:
        del entries[0]
    assert caught.value.errno == errno.EINVAL


def test_flags_say_whether_a_key_may_be_there(maps: Maps) -> None:
    """BPF_NOEXIST is EEXIST for a key that is there; BPF_EXIST is KeyError for one that is not."""
    numbers = maps["numbers"]
    numbers.update(1, 1, flags=1)
    with pytest.raises(userrb.BpfError) as caught:
        numbers.update(1, 2, flags=1)
    assert caught.value.errno == errno.EEXIST
    with pytest.raises(KeyError):
        numbers.update(2, 2, flags=2)
    numbers.update(1, 3, flags=2)
    assert dict(numbers.items()) == {1: 3}


def test_a_full_hash_is_e2big(maps: Maps) -> None:
    """The kernel's errno survives."""
    numbers = maps["numbers"]
    with pytest.raises(userrb.BpfError) as caught:
        for i in range(100):
            numbers[i] = i
    assert caught.value.errno == errno.E2BIG
    assert len(numbers) >= 4


def test_keys_may_be_deleted_in_the_loop(maps: Maps) -> None:
    """A loop that deletes what it sees, or what it has not seen, ends; each key comes once."""
    places = maps["places"]
    for i in range(50):
        places[{"x": i}] = {"count": i}
    seen = []
    for key in places:
        seen.append(key.x)
        del places[key]
    assert sorted(seen) == list(range(50))
    assert len(places) == 0
    for i in range(50):
        places[{"x": i}] = {"count": i}
    seen = []
    for key in places:
        seen.append(key.x)
        for other in (key.x * 7 + 1, key.x * 3 + 2):
            places.delete({"x": other % 50})
    assert len(seen) == len(set(seen))
    for key, _ in places.items():
        places.delete({"x": (key.x + 1) % 50})


def test_a_per_cpu_map_has_a_value_for_each_processor(
    compile_bpf: Callable[[str], Path],
) -> None:
    """One value a processor is read and written; the bytes of all are accepted, too."""
    with userrb.BpfObject(compile_bpf("entries")) as bpf:
        entries, hashed = bpf.maps["each_cpu"], bpf.maps["hash_each_cpu"]
        count = len(entries[0])
        assert count >= (os.cpu_count() or 1)
        entries[1] = range(10, 10 + count)
        here = bpf.programs["count_each_cpu"].test_run().retval
        assert entries[1] == tuple(10 + i + (i == here) for i in range(count))
        raw = entries.lookup(1)
        assert raw is not None
        assert len(raw) == 8 * count
        entries[0] = raw
        assert entries[0] == entries[1]
        hashed[5] = [{"x": i} for i in range(count)]
        assert [place.x for place in hashed[5]] == list(range(count))
        assert dict(hashed.items())[5][0] == {"x": 0, "y": 0}
        for wrong in (1, [1] * (count + 1), [1 << 32] * count, ["x"] * count):
            with pytest.raises((ValueError, TypeError)):
                entries[0] = wrong


def test_a_map_without_keys_says_so(maps: Maps) -> None:
    """A ring buffer has no keys; a queue takes values without one."""
    for call in (
        lambda: maps["ring"].lookup(b""),
        lambda: list(maps["ring"]),
        lambda: len(maps["ring"]),
        lambda: maps["ring"].update(b"", b""),
    ):
        with pytest.raises(userrb.BpfError, match="of map 'ring'"):
            call()
    maps["queue"].update(b"", struct.pack("=I", 5))
    assert maps["queue"][b""] == struct.pack("=I", 5)


def test_max_entries_are_set_before_the_load(compile_bpf: Callable[[str], Path]) -> None:
    """Sizes of maps in place of the source's are what the kernel has."""
    with userrb.BpfObject(compile_bpf("entries"), max_entries={"array": 7, "ring": 1 << 20}) as bpf:
        assert (len(bpf.maps["array"]), bpf.maps["array"].max_entries) == (7, 7)
        with userrb.UserRingBuffer(bpf.maps["ring"]) as ring:
            assert ring.size == 1 << 20
    for sizes, error, words in (
        ({"nowhere": 1}, ValueError, "has no map 'nowhere': it has .*places"),
        ({"array": 0}, ValueError, "max_entries of map 'array' must be 1 to"),
        ({"array": 1 << 32}, ValueError, "not 4294967296"),
        ({"array": "7"}, TypeError, "str"),
    ):
        with pytest.raises(error, match=words):
            userrb.BpfObject(compile_bpf("entries"), max_entries=sizes)  # type: ignore[arg-type]


def test_a_map_of_a_closed_object_says_so(compile_bpf: Callable[[str], Path]) -> None:
    """Every call on a map of a closed object is ObjectClosed."""
    with userrb.BpfObject(compile_bpf("entries")) as bpf:
        numbers = bpf.maps["numbers"]
        numbers[1] = 1
        keys = iter(numbers)
    for call in (
        lambda: numbers[1],
        lambda: numbers.update(1, 1),
        lambda: numbers.delete(1),
        lambda: len(numbers),
        lambda: next(keys),
        lambda: 1 in numbers,
    ):
        with pytest.raises(userrb.ObjectClosed, match="'numbers'"):
            call()

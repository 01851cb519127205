"""What the page of batching and packing says and its examples do not show."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import userrb
from tests.userrb.rig import BPF, bpf_cc

pytestmark = pytest.mark.kernel

Compile = Callable[..., Path]


@pytest.fixture
def compile_packing(tmp_path: Path) -> Compile:
    """Compiles tests/bpf/packing.bpf.c with some macros."""

    def compile_one(*macros: str) -> Path:
        target = tmp_path / "packing.bpf.o"
        bpf_cc(BPF / "packing.bpf.c", target, *(f"-D{macro}" for macro in macros))
        return target

    return compile_one


@pytest.mark.parametrize(
    ("macros", "count"), [((), 500), (("LOOP",), 500), (("COUNT=1000000", "LOOP"), 1_000_000)]
)
def test_a_loop_that_the_verifier_takes(
    compile_packing: Compile, macros: tuple[str, ...], count: int
) -> None:
    """Bounded by a constant; or bpf_loop, also where the verifier would not follow each pass."""
    pack = struct.pack(f"={count + 1}I", count, *[1] * count)
    with (
        userrb.BpfObject(compile_packing(*macros)) as bpf,
        userrb.UserRingBuffer(bpf.maps["samples"]) as ring,
    ):
        ring.write(pack)
        assert bpf.programs["drain"].test_run().retval == count


@pytest.mark.parametrize(
    ("macro", "line"),
    [
        ("UNKNOWN_LENGTH", r"R3 is not a (?:known )?const"),
        ("UNBOUNDED", "outside of the allowed memory range"),
        ("COUNT=1000000", "is too "),
    ],
)
def test_a_loop_that_the_verifier_refuses(compile_packing: Compile, macro: str, line: str) -> None:
    """A length that varies, a bound that user space sets, more passes than it follows."""
    with pytest.raises(userrb.LoadError) as refused:
        userrb.BpfObject(compile_packing(macro))
    assert re.search(line, str(refused.value.log))


def test_user_space_can_write_to_a_submitted_sample(
    bpf: userrb.BpfObject, ring: userrb.UserRingBuffer
) -> None:
    """The BPF program sees what was written after the sample was submitted."""
    page, fd = mmap.PAGESIZE, ring.fileno()
    with mmap.mmap(fd, page + 2 * ring.size, offset=page) as producer:
        ring.write(struct.pack("=Q", 1))
        struct.pack_into("=Q", producer, page + 8, 1000)
        assert bpf.programs["drain_digest"].test_run().retval == 1000


def test_a_drain_sees_all_of_a_batch_or_nothing(bpf: userrb.BpfObject) -> None:
    """While batches of 1000 are submitted, each drain takes a multiple of 1000."""
    with userrb.UserRingBuffer(bpf.maps["roomy"]) as ring, ThreadPoolExecutor() as pool:

        def produce() -> int:
            return sum(ring.submit_many(bytes(8000), size=8) for _ in range(60))

        for _ in range(20):
            submitted = pool.submit(produce)
            taken: list[int] = []
            while sum(taken) < 60_000:
                taken.append(bpf.programs["drain_roomy"].test_run().retval)
                assert taken[-1] % 1000 == 0
            assert submitted.result() == sum(taken)

"""What the pages of kfuncs say of the verifier, case by case of kfuncs.bpf.c."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import userrb
from tests.userrb.rig import BPF

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.needs("syscall-kfuncs"),
]
Compile = Callable[..., Path]

REFUSED = {
    "KEEPS_MASK": "Unreleased reference",
    "RELEASES_TWICE": "type=scalar expected=",
    "USES_RELEASED": "type=scalar expected=",
    "UNCHECKED_MASK": "Possibly NULL pointer passed to trusted arg0",
    "CHANGES_THE_KERNELS_MASK": "must be a rcu pointer|must be referenced or trusted",
    "KEEPS_TASK": "Unreleased reference",
    "RELEASES_WHAT_IT_DOES_NOT_OWN": "bpf_task_release expects refcounted",
    "KEEPS_LOCK": "rcu_read_lock",
    "UNLOCKS_ALONE": "unmatched rcu read unlock",
    "SLEEPS_IN_LOCK": "in rcu_read_lock region",
    "TRUSTS_AFTERWARDS": "must be a rcu pointer",
}
TAKEN = ("NO_SUCH_CPU", "READS_AFTERWARDS")


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_the_verifier_refuses(compile_bpf: Compile, case: str) -> None:
    """Each case is refused, for the reason given."""
    with pytest.raises(userrb.LoadError) as caught:
        userrb.BpfObject(compile_bpf("kfuncs", case))
    assert re.search(REFUSED[case], caught.value.log)


def test_a_cpu_that_there_is_not_is_in_no_mask(compile_bpf: Compile) -> None:
    """To set it does nothing, and to test for it gives false."""
    with userrb.BpfObject(compile_bpf("kfuncs", "NO_SUCH_CPU")) as bpf:
        assert bpf.programs["tried"].test_run().retval == 0


def test_a_parent_can_be_read_after_the_unlock(compile_bpf: Compile) -> None:
    """What is refused above is refused for the trust, not for the reading."""
    userrb.BpfObject(compile_bpf("kfuncs", "READS_AFTERWARDS")).close()


def test_the_cases_are_all_tested() -> None:
    """No case of kfuncs.bpf.c is forgotten."""
    source = (BPF / "kfuncs.bpf.c").read_text(encoding="utf-8")
    assert set(re.findall(r"defined\((\w+)\)", source)) == {*REFUSED, *TAKEN}

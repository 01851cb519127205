"""The benchmark of reading answers reads what it says, and every way of it."""

from __future__ import annotations

import pytest

from benchmarks import answers
from benchmarks.effort import Effort
from benchmarks.rig import Miscount


@pytest.mark.kernel
@pytest.mark.host
def test_each_way_is_measured_beside_libbpf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way has a figure, of as many rounds as asked for, with the time of libbpf's beside."""
    monkeypatch.setattr(answers, "WAITING", (100,))
    figures = answers.measure(Effort(rounds=2))
    assert [figure.key for figure in figures] == ["batch_100", "copy_100", "samples_100"]
    for figure in figures:
        assert figure.c is not None
        assert figure.c.count == figure.userrb.count == 2
        assert min(figure.userrb.low, figure.c.low) > 0


@pytest.mark.kernel
@pytest.mark.host
def test_a_turn_that_reads_something_else_does_not_count() -> None:
    """A way that leaves answers, or finds too few, is no figure."""
    with answers.scene() as made:
        for _, way in [("libbpf", answers.Scene.by_libbpf), *answers.WAYS.values()]:
            with pytest.raises(Miscount, match="0 were read"):
                way(made, 5)

"""The benchmarks measure what they say, and the page shows what they measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks import costs, machine, memory, page, picture, tables, through, waits
from benchmarks.__main__ import report
from benchmarks.build import PACKED
from benchmarks.costs import Contestant
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Spread, compare
from benchmarks.goals import GOALS, Goal, Verdict
from benchmarks.results import RECORDED, Results
from benchmarks.rig import Miscount, Rig

TINY = Effort(rounds=2, rings=(4096,), wakes=3, waits=2, wait_ms=60, interrupts=2, samples=20_000)


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A ring that holds 256 records of 8 bytes."""
    with Rig(4096) as made:
        yield made


@pytest.fixture(scope="module")
def tiny() -> Results:
    """A whole run, with hardly any rounds."""
    kinds = (costs.measure, through.measure, waits.measure, memory.measure)
    return Results(machine.describe(TINY), [figure for kind in kinds for figure in kind(TINY)])


def test_the_kernel_drains_what_each_way_claims_to_send(rig: Rig) -> None:
    """As many samples as all turns together make, warm-ups included."""
    with costs.producer(rig) as peer:
        sizes = (8, 16, 64)
        field = [costs.c_loop(rig, peer, size, f"c_{size}") for size in sizes]
        field += costs.contestants(rig)
        times = costs.race(rig, field, rounds=2)
    assert all(len(values) == 2 and min(values) > 0 for values in times.values())
    assert rig.drained == sum(2 * 2 * each.count for each in field)


@pytest.mark.parametrize(
    "lie",
    [
        lambda rig: None,
        lambda rig: [rig.ring.write(bytes(8)) for _ in range(rig.room(8) - 1)],
        lambda rig: [rig.ring.write(bytes(8)) for _ in range(rig.room(8))],
    ],
    ids=["nothing sent", "one short", "wrong values"],
)
def test_a_round_that_sent_something_else_does_not_count(
    rig: Rig, lie: Callable[[Rig], object]
) -> None:
    """The run ends: a figure of samples that were not sent is none."""

    def fill() -> int:
        lie(rig)
        return 1

    with pytest.raises(Miscount):
        costs.race(rig, [Contestant("liar", "", 8, rig.room(8), fill)], rounds=1)


def test_packed_samples_are_read_to_the_last_record(rig: Rig) -> None:
    """A packed sample of which only the first record is right is noticed."""
    records = b"".join(value.to_bytes(8, "little") for value in range(PACKED))
    rig.ring.write(records[:8] + bytes(8 * PACKED - 8))
    with pytest.raises(Miscount):
        rig.check_sum(rig.bpf.programs["drain_packed"].test_run().retval, PACKED)
    rig.ring.write(records)
    rig.check_sum(rig.bpf.programs["drain_packed"].test_run().retval, PACKED)


def test_every_goal_has_its_figure(tiny: Results) -> None:
    """No goal is without a measurement, and no figure hides another."""
    assert len({figure.key for figure in tiny.figures}) == len(tiny.figures)
    assert {goal.verdict(tiny) for goal in GOALS} <= set(Verdict)


def test_waiting_costs_less_than_spinning(tiny: Results) -> None:
    """The C program spins on a partly full ring, userrb sleeps."""
    share = tiny.figure("cpu_partly")
    assert share.c
    assert share.userrb.median < share.c.median / 2


def test_ctrl_c_ends_a_wait_that_libbpf_sits_out(tiny: Results) -> None:
    """SIGINT was sent at 150 ms at most, and the timeout is 1000 ms."""
    interrupt = tiny.figure("interrupt_partly")
    assert interrupt.c
    assert interrupt.userrb.most < 500 < interrupt.c.median


def test_a_wake_up_takes_time(tiny: Results) -> None:
    """Both stamps of a latency are real ones, in the right order."""
    latency = tiny.figure("latency")
    assert latency.c
    assert latency.userrb.low > 0
    assert latency.c.low > 0


def test_results_outlive_their_file(
    tiny: Results, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is written is read back, digit by digit."""
    path = tmp_path_factory.mktemp("results") / "results.json"
    tiny.save(path)
    assert Results.load(path) == tiny


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (Spread(9, 8, 11, 12, 5), Verdict.MET),
        (Spread(10, 9, 11, 12, 5), Verdict.MET),
        (Spread(10.5, 9.5, 11, 12, 5), Verdict.NOISE),
        (Spread(10.5, 10.1, 11, 12, 5), Verdict.MISSED),
    ],
)
def test_verdicts(value: Spread, verdict: Verdict) -> None:
    """The median decides; the better quartile tells noise from a miss. Both ways up."""
    results = Results({}, [Figure("key", "", "", "", value)])
    goal = Goal("key", "", "", lambda figure: figure.userrb, lambda _: 10)
    assert goal.verdict(results) is verdict
    inverted = Results({}, [Figure("key", "", "", "", value.inverse())])
    at_least = replace(goal, limit=lambda _: 0.1, at_least=True)
    assert at_least.verdict(inverted) is verdict


def test_ratios_are_those_of_the_same_round() -> None:
    """Not of the medians: drift that meets both does not count."""
    figure = compare([1, 20, 300], [2, 20, 200], key="", group="", what="", unit="")
    assert figure.ratio == Spread(1, 0.75, 1.25, 1.5, 3)


def test_a_missed_goal_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """By how much is said, and the exit status tells `make`."""
    recorded = Results.load(RECORDED)
    slow = [
        replace(figure, userrb=Spread(1000, 999, 1001, 1002, 5))
        if figure.key == "write"
        else figure
        for figure in recorded.figures
    ]
    assert report(Results(recorded.machine, slow)) == 1
    assert "missed by 669 %" in capsys.readouterr().out


def test_the_page_and_its_pictures_show_the_recorded_results() -> None:
    """Neither is older than the results, nor touched by hand."""
    for path, text in page.files(Results.load(RECORDED)).items():
        assert path.read_text() == text, f"{path} is stale: python -m benchmarks --redraw"


def test_another_result_would_change_page_and_pictures() -> None:
    """The comparison above can fail, for each file."""
    recorded = Results.load(RECORDED)
    slow = [
        replace(figure, userrb=Spread(1234, 1233, 1235, 1236, 5))
        if figure.key == "write"
        else figure
        for figure in recorded.figures
    ]
    for path, text in page.files(Results(recorded.machine, slow)).items():
        assert path.read_text() != text


def test_the_picture_says_what_the_tables_say() -> None:
    """The bars carry the same digits."""
    results = Results.load(RECORDED)
    for theme in picture.COLOURS:
        texts = {
            element.text
            for element in ElementTree.fromstring(picture.draw(results, theme)).iter()  # noqa: S314
        }
        assert tables.number(results.figure("write").userrb.median) in texts
        assert tables.number(results.figure("packed_write").userrb.median) in texts

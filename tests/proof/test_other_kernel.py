"""Examples on a kernel in a virtual machine: like on the host, and told apart when that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otherkernel.kernels import catalogue
from proof.errors import KernelLost
from proof.kernel.host import Host
from proof.kernel.other import OtherKernel
from proof.record.matrix import FAILED, Setting, fill, judge
from proof.record.record import AS_SHOWN
from proof.run.prove import Proof, prove
from proof.run.shell import repeat
from tests.proof.scratch import PROBE, Scratch, console

DEFAULT = catalogue.load().default


@pytest.fixture(scope="module")
def virtual() -> Iterator[OtherKernel]:
    """One machine for all of these tests, as for all examples."""
    with OtherKernel(DEFAULT, PROBE) as kernel:
        yield kernel


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A site of the test's own."""
    return Scratch(tmp_path)


def alike(kernel: OtherKernel, *commands: str) -> list[bytes]:
    """Repeat a session on both kernels; return the outputs, which must not differ."""
    there, here = (repeat({"a.txt": "a\n"}, commands, each) for each in (kernel, Host(PROBE)))
    assert [(o.output, o.status) for o in there.outcomes] == [
        (o.output, o.status) for o in here.outcomes
    ]
    return [outcome.output for outcome in there.outcomes]


def test_the_kernel_is_another_one(virtual: OtherKernel) -> None:
    """A command with sudo runs on the other kernel, one without it here; a record says which."""
    done = repeat({}, ["sudo uname -r", "uname -r"], virtual)
    there, here = (outcome.output.decode().strip() for outcome in done.outcomes)
    assert there == virtual.facts()["kernel"] != here
    assert there.startswith(f"{DEFAULT}.")
    assert here == Host(PROBE).facts()["kernel"]


def test_a_session_is_alike_on_both(virtual: OtherKernel) -> None:
    """Files, directories, statuses, variables and the order of streams do not differ."""
    script = "import ctypes, sys; print(sys.argv); ctypes.CDLL(None).puts(b'c'); sys.exit(3)"
    outputs = alike(
        virtual,
        "mkdir d; cd d; echo b >b.txt",
        "sudo cat ../a.txt b.txt; echo $?",
        "sudo sh -c 'cat b.txt >c.txt; rm b.txt; exit 7'",
        "cat c.txt; ls",
        f'sudo "$(command -v python3)" -c "{script}" 1 2',
        "sudo sh -c 'test -t 1 && test -t 2 && echo terminal'",
        "echo typed | sudo cat",
        "X=1 Y=2 sudo X=3 sh -c 'echo $X-$Y-$HOME-$PATH'",
        "sudo nosuch",
        "sudo printf '<%s>' 'a b' '' \"it's\"",
        "yes | sudo head -n 1",
    )
    assert outputs[1:4] == [b"a\nb\n0\n", b"", b"b\nc.txt\n"]
    assert outputs[5] == b"terminal\n"


def test_a_signal_to_sudo_reaches_the_command(virtual: OtherKernel) -> None:
    """What is meant to end a command on the kernel ends it there, and its status says how."""
    trap = "trap 'echo caught; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    done = repeat({}, [f'timeout 2 sudo sh -c "{trap}"', "echo $?"], virtual)
    assert [outcome.output for outcome in done.outcomes] == [b"up\ncaught\n", b"124\n"]


def test_nothing_leaks_into_the_next_session(virtual: OtherKernel) -> None:
    """Pins, mounts and files of a session are gone in the next one, without another boot."""
    create = "bpftool map create /sys/fs/bpf/m type array key 4 value 4 entries 1 name m"
    boots = virtual.boots
    mount = "sudo sh -c 'mkdir -p /m; mount -t tmpfs none /m'"
    first = repeat({}, [f"sudo {create}", mount, "sudo ls /sys/fs/bpf"], virtual)
    assert first.outcomes[2].output == b"m\n"
    second = repeat({}, ["sudo ls /sys/fs/bpf", "sudo sh -c 'ls /tmp | grep proof-'"], virtual)
    assert second.outcomes[0].output == b""
    assert first.directory.split("/")[2] not in second.outcomes[1].output.decode()
    assert virtual.boots <= boots + 1


def test_a_mount_in_the_place_of_another_does_not_stay(virtual: OtherKernel) -> None:
    """What a session unmounts is there for the next one, and what it mounts instead is not."""
    swap = "umount /sys/kernel/tracing; mkdir -p /m; mount -t tmpfs none /m"
    repeat({}, [f"sudo sh -c '{swap}'"], virtual)
    (outcome,) = repeat(
        {}, ["sudo grep -oE ' (/m|/sys/kernel/tracing) ' /proc/mounts"], virtual
    ).outcomes
    assert outcome.output == b" /sys/kernel/tracing \n"


def test_sudo_in_a_pipe_runs(virtual: OtherKernel) -> None:
    """Two commands of a pipeline run at a time, and what one writes the other reads."""
    (outcome,) = repeat({}, ["printf 'a\\nb\\n' | sudo cat | sudo tr ab xy"], virtual).outcomes
    assert outcome.output == b"x\ny\n"
    (outcome,) = repeat({}, ["sudo seq 1 1000000 | sudo head -n 1"], virtual).outcomes
    assert outcome.output == b"1\n"


def test_a_command_in_the_background_is_killed_by_another(virtual: OtherKernel) -> None:
    """A command runs in the background until another one signals it, by a file that both see."""
    start = "sudo sh -c 'echo $$ >pid; exec sleep 600' &"
    stop = "sudo sh -c 'until test -s pid && kill $(cat pid); do :; done'"
    outcomes = repeat({}, [start, stop, "wait $!; echo $?"], virtual).outcomes
    assert outcomes[2].output.endswith(b"143\n")


def test_a_session_that_is_over_ends_its_command(virtual: OtherKernel) -> None:
    """The time limit of a session holds on the other kernel, which goes on to serve."""
    started = time.monotonic()
    done = repeat({}, ["sudo sleep 60"], virtual, limit=2)
    assert "within the 2 seconds" in done.ended
    assert time.monotonic() - started < 15
    assert repeat({}, ["sudo echo up"], virtual).outcomes[0].output == b"up\n"


def test_a_lost_guest_is_no_verdict_on_the_example(virtual: OtherKernel, scratch: Scratch) -> None:
    """A panic in an example is a panic, not a failed example; the next one finds a fresh guest."""
    panic = scratch.example(console("$ sudo sh -c 'echo c >/proc/sysrq-trigger'", "$ true"))
    with pytest.raises(KernelLost, match="sysrq triggered crash"):
        prove(panic, virtual)
    assert not prove(scratch.example(console("$ sudo echo up", "up")), virtual).failures


def test_what_differs_on_one_kernel_fails_there_only(scratch: Scratch) -> None:
    """An example that prints something else on one kernel fails on that one, and on no other."""
    example = scratch.example(console("$ sudo uname -r | cut -d. -f1,2", DEFAULT))
    here = judge(prove(example, Host(PROBE), check=False), None)
    assert here.verdict == FAILED
    assert "the page shows another output" in here.why
    (there,) = fill([Setting(DEFAULT)], [example], scratch.site(), 1)
    assert there.results[example.name].verdict == AS_SHOWN
    assert isinstance(there.results[example.name].proof, Proof)

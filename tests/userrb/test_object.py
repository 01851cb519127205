"""BPF objects, maps and programs."""

from __future__ import annotations

import array
import contextlib
import copy
import gc
import logging
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import userrb

Compile = Callable[[str], Path]


@contextmanager
def bpf_filesystem() -> Iterator[Path]:
    """A folder of its own in which maps can be pinned: mounted here, and unmounted."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_maps_and_programs_are_named_as_in_the_source(bpf: userrb.BpfObject) -> None:
    """An object lists its maps and programs under their names in the source."""
    assert {"samples", "other"} <= set(bpf.maps)
    assert bpf.maps["samples"].type == "user_ringbuf"
    assert bpf.maps["samples"].max_entries == 4096
    assert bpf.programs["drain"].type == "syscall"


def test_retval_is_the_c_int(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """test_run returns what the program returned."""
    ring.write(b"12345678")
    assert bpf.programs["drain"].test_run() == userrb.TestRun(1, 0, b"", b"")


def test_test_run_with_data_a_type_does_not_take_is_einval(bpf: userrb.BpfObject) -> None:
    """The kernel's errno of a test run survives, and the message names the program."""
    with pytest.raises(userrb.BpfError, match=r"'drain' \(type syscall\)") as caught:
        bpf.programs["drain"].test_run(data=bytes(64))
    assert caught.value.errno == 22


def test_a_missing_file_is_a_file_not_found_error(tmp_path: Path) -> None:
    """A missing object file is a FileNotFoundError that names it."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.bpf\.o") as caught:
        userrb.BpfObject(tmp_path / "nowhere.bpf.o")
    assert isinstance(caught.value, userrb.ObjectNotFound)


@pytest.mark.parametrize("content", [b"", b"no ELF at all", b"\x7fELF" + bytes(60)])
def test_a_broken_object_is_a_load_error(tmp_path: Path, content: bytes) -> None:
    """A file that is no BPF object is a LoadError with libbpf's log."""
    broken = tmp_path / "broken.bpf.o"
    broken.write_bytes(content)
    with pytest.raises(userrb.LoadError, match=r"broken\.bpf\.o"):
        userrb.BpfObject(broken)


def test_a_truncated_object_is_a_load_error(tmp_path: Path, compile_bpf: Compile) -> None:
    """Half an object file is a LoadError, not a crash."""
    whole = compile_bpf("drain").read_bytes()
    broken = tmp_path / "half.bpf.o"
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(userrb.LoadError):
        userrb.BpfObject(broken)


def test_the_verifiers_log_is_in_the_exception_and_in_logging(
    compile_bpf: Compile, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the verifier said stands in `log` and in logging, and not on standard error."""
    with caplog.at_level(logging.INFO, "userrb"), pytest.raises(userrb.LoadError) as caught:
        userrb.BpfObject(compile_bpf("refused"))
    assert "R0" in caught.value.log
    assert "verifi" in caplog.text.lower() or "R0" in caplog.text
    assert "libbpf: 0" not in caught.value.log
    assert caught.value.log in "\n".join(caught.value.__notes__)
    assert capfd.readouterr().err == ""


def test_the_log_of_one_failure_is_not_in_the_next(compile_bpf: Compile, tmp_path: Path) -> None:
    """Each exception carries the log of its own call."""
    with pytest.raises(userrb.LoadError):
        userrb.BpfObject(compile_bpf("refused"))
    with pytest.raises(userrb.ObjectNotFound) as caught:
        userrb.BpfObject(tmp_path / "nowhere")
    assert "R0" not in caught.value.log


def test_a_closed_object_says_so(compile_bpf: Compile) -> None:
    """Maps and programs of a closed object raise ObjectClosed; close may be called again."""
    bpf = userrb.BpfObject(compile_bpf("drain"))
    bpf.close()
    bpf.close()
    with pytest.raises(userrb.ObjectClosed, match="'drain'"):
        bpf.programs["drain"].test_run()
    with pytest.raises(userrb.ObjectClosed, match="'samples'"):
        userrb.UserRingBuffer(bpf.maps["samples"])


def test_a_closed_object_leaves_no_descriptor(compile_bpf: Compile) -> None:
    """Closing an object and a ring leaves no file descriptor behind, nor does a failure."""
    gc.collect()
    before = set(Path("/proc/self/fd").iterdir())
    with (
        userrb.BpfObject(compile_bpf("drain")) as bpf,
        userrb.UserRingBuffer(bpf.maps["samples"]),
        pytest.raises(userrb.WrongMapType),
    ):
        userrb.UserRingBuffer(bpf.maps["other"])
    with pytest.raises(userrb.LoadError):
        userrb.BpfObject(compile_bpf("refused"))
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_without_privilege_the_error_says_what_to_do(compile_bpf: Compile) -> None:
    """An unprivileged process gets a PermissionError that names the remedy."""
    program = (
        "import os, userrb\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: userrb.BpfObject('/proc/self/fd/0')\n"
        "except PermissionError as error: print(type(error).__name__, error.errno, error)\n"
    )
    with compile_bpf("drain").open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-c", program], stdin=stdin, capture_output=True, text=True, check=True
        )
    assert done.stdout.startswith("NotPermitted 1 ")
    assert "run as root, or with CAP_BPF" in done.stdout
    assert done.stderr == ""


def test_an_attached_program_drains(bpf: userrb.BpfObject, ring: userrb.UserRingBuffer) -> None:
    """A program runs on its event while its link is open, and its map can be read."""
    key = bytes(4)
    ring.write(b"1")
    assert bpf.maps["other"].lookup(key) == bytes(8)
    with bpf.programs["drain_on_fork"].attach() as link:
        subprocess.run(["true"], check=True)
        assert bpf.maps["other"].lookup(key) == struct.pack("=Q", 1)
    assert link.closed
    ring.write(b"2")
    subprocess.run(["true"], check=True)
    assert bpf.maps["other"].lookup(key) == struct.pack("=Q", 1)


def test_what_cannot_be_attached_says_so(bpf: userrb.BpfObject) -> None:
    """A program whose section names no event cannot be attached."""
    with pytest.raises(userrb.BpfError, match="attaching program 'drain'"):
        bpf.programs["drain"].attach()


def test_a_lookup_that_finds_nothing(bpf: userrb.BpfObject) -> None:
    """A key beyond the array is None; one of another size, or of a ring, is an error."""
    assert bpf.maps["other"].lookup(struct.pack("=I", 1)) is None
    with pytest.raises(ValueError, match="4 bytes, not 8"):
        bpf.maps["other"].lookup(bytes(8))
    with pytest.raises(userrb.BpfError, match="user_ringbuf"):
        bpf.maps["samples"].lookup(b"")


def test_a_pinned_map_opens_by_its_path(bpf: userrb.BpfObject) -> None:
    """A ring opened from a pin is the same ring; a pin is not overwritten."""
    with bpf_filesystem() as folder:
        path = folder / "samples"
        bpf.maps["samples"].pin(path)
        with pytest.raises(FileExistsError, match="samples"):
            bpf.maps["samples"].pin(path)
        with userrb.UserRingBuffer(path) as ring:
            ring.write(b"1")
        with userrb.UserRingBuffer(str(path)) as ring:
            assert bpf.programs["drain"].test_run().retval == 1
        bpf.maps["other"].pin(folder / "other")
        with pytest.raises(userrb.WrongMapType):
            userrb.UserRingBuffer(folder / "other")


def test_a_pin_elsewhere_is_refused(bpf: userrb.BpfObject, tmp_path: Path) -> None:
    """Only a BPF file system holds pins."""
    with pytest.raises(userrb.BpfError, match="pinning map 'samples'"):
        bpf.maps["samples"].pin(tmp_path / "samples")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_the_kernel_holds_is_not_copied(
    bpf: userrb.BpfObject, copied: Callable[[object], object]
) -> None:
    """A copy, which would be closed a second time, is a TypeError."""
    with userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
        program = bpf.programs["drain_on_fork"]
        with program.attach() as link, ring.reserve(8) as sample:
            for part in (bpf, bpf.maps["samples"], program, link, ring, sample):
                with pytest.raises(TypeError, match=type(part).__name__):
                    copied(part)


def test_a_signal_handler_may_close_what_is_being_closed(compile_bpf: Compile) -> None:
    """A handler that closes the same object and link in the middle of their close does not hang."""
    program = (
        "import signal, sys, userrb\n"
        "def close(*_):\n"
        "    link.close()\n"
        "    bpf.close()\n"
        "signal.signal(signal.SIGALRM, close)\n"
        "for i in range(60):\n"
        "    bpf = userrb.BpfObject(sys.argv[1])\n"
        "    link = bpf.programs['drain_on_fork'].attach()\n"
        "    signal.setitimer(signal.ITIMER_REAL, 1e-5 * (i % 20 + 1))\n"
        "    close()\n"
    )
    command = [sys.executable, "-c", program, str(compile_bpf("drain"))]
    subprocess.run(command, check=True, timeout=30)


def test_an_object_is_closed_while_a_program_is_attached(compile_bpf: Compile) -> None:
    """Attaching in one thread and closing in another gives a link or ObjectClosed, and no crash."""
    for _ in range(20):
        bpf = userrb.BpfObject(compile_bpf("drain"))
        closer = threading.Thread(target=bpf.close)
        with contextlib.suppress(userrb.ObjectClosed):
            for turn in range(3):
                bpf.programs["drain_on_fork"].attach().close()
                if turn == 0:
                    closer.start()
        closer.join()


def test_a_program_that_is_not_loaded_is_left_out(compile_bpf: Compile) -> None:
    """An object with an optional program, SEC("?..."), opens without it."""
    with userrb.BpfObject(compile_bpf("optional")) as bpf:
        assert set(bpf.programs) == {"always", "mark"}


def test_an_object_that_fails_halfway_is_closed(
    compile_bpf: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where descriptors run out after the load, those of the load are given back."""
    before = set(Path("/proc/self/fd").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("userrb.object.BpfMap", lambda _: os.open("/nowhere", os.O_RDONLY))
        with pytest.raises(FileNotFoundError):
            userrb.BpfObject(compile_bpf("drain"))
    gc.collect()
    assert set(Path("/proc/self/fd").iterdir()) <= before


@pytest.mark.parametrize("given", [12, 192])
def test_a_test_run_returns_the_context_after_the_run(compile_bpf: Compile, given: int) -> None:
    """What a tc program does to its context is in the answer; `mark` is the third number."""
    context = struct.pack("=3I", 0, 0, 41).ljust(given, b"\0")
    with userrb.BpfObject(compile_bpf("optional")) as bpf:
        run = bpf.programs["mark"].test_run(data=bytes(64), ctx=context)
    assert struct.unpack_from("=3I", run.ctx)[2] == 42


def test_what_comes_from_an_object_keeps_it_open(compile_bpf: Compile) -> None:
    """A map, a program, a variable and a ring work on when nobody holds their object any more."""
    before = set(Path("/proc/self/fd").iterdir())
    path = compile_bpf("drain")
    assert userrb.BpfObject(path).programs["drain"].test_run().retval == 0
    assert userrb.BpfObject(path).maps["other"].lookup(bytes(4)) == bytes(8)
    assert userrb.BpfObject(path).globals["event_layout"] == 0
    with userrb.UserRingBuffer(userrb.BpfObject(path).maps["samples"]) as ring:
        ring.write(b"1")
    program = userrb.BpfObject(path).programs["drain_on_fork"]
    gc.collect()
    with program.attach():
        pass
    del program, ring
    gc.collect()
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_buffers_count_in_bytes(compile_bpf: Compile, bpf: userrb.BpfObject) -> None:
    """A context, a packet and a key are all bytes of a buffer, whatever its items are."""
    context = array.array("Q", [1, 2, 3])
    run = bpf.programs["drain_tally"].test_run(ctx=context)
    assert run.ctx == bytes(24)
    assert context == array.array("Q", [1, 2, 3])
    assert bpf.maps["other"].lookup(array.array("I", [0])) == bytes(8)
    with pytest.raises(ValueError, match="4 bytes, not 8"):
        bpf.maps["other"].lookup(array.array("Q", [0]))
    with userrb.BpfObject(compile_bpf("optional")) as optional:
        marks = array.array("I", [0, 0, 41])
        run = optional.programs["mark"].test_run(data=array.array("Q", range(8)), ctx=marks)
    assert len(run.data) == 64
    assert struct.unpack_from("=3I", run.ctx)[2] == 42


@pytest.mark.parametrize("keeper", ["time", "os", "sys", "posix", "builtins", "userrb.descriptor"])
def test_an_object_alive_at_exit_is_silent(compile_bpf: Compile, keeper: str) -> None:
    """The end of the interpreter closes an object that some module still holds, without a word."""
    program = (
        "import importlib, sys, userrb\n"
        "bpf = userrb.BpfObject(sys.argv[1])\n"
        "link = bpf.programs['drain_on_fork'].attach()\n"
        "ring = userrb.UserRingBuffer(bpf.maps['samples'])\n"
        "importlib.import_module(sys.argv[2]).keep = bpf, link, ring\n"
    )
    command = [sys.executable, "-c", program, str(compile_bpf("drain")), keeper]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_path_with_a_null_byte_is_a_value_error(bpf: userrb.BpfObject) -> None:
    """A path does not end at a null byte, as it would in C."""
    for call in (
        lambda: userrb.BpfObject(f"{bpf.path}\0.o"),
        lambda: bpf.maps["samples"].pin("/nowhere\0"),
        lambda: userrb.UserRingBuffer("/nowhere\0"),
    ):
        with pytest.raises(ValueError, match="null byte"):
            call()

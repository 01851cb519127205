"""The host's end of the line, with a guest that says what no honest one would."""

from __future__ import annotations

import os
import random
import resource
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otherkernel import tree, wire
from otherkernel.errors import Error, FilesKept, GuestError, GuestHang
from otherkernel.host.console import Console
from tests.otherkernel.fake_guest import ACKNOWLEDGE, HELLO, MORE, SEAL, SHARED, FakeGuest, frame
from tests.otherkernel.test_placing import record

FRAMES = int(os.environ.get("FUZZ_FRAMES", "100000"))
"""How many hostile frames to send; a million take some minutes."""

EXIT = frame(wire.EXIT, wire.EXIT_STATUS.pack(0, 0))
RETURNED = frame(wire.RETURNED)


def test_an_honest_guest_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output in several parts, files, and the status arrive as they were sent."""
    parts = [
        frame(wire.STDOUT, b"a" * 1024, MORE | ACKNOWLEDGE),
        frame(wire.STDOUT, b"b", ACKNOWLEDGE),
        frame(wire.STDERR, b"c"),
        frame(wire.EXIT, wire.EXIT_STATUS.pack(7 << 8, 0)),
    ]
    files = (frame(wire.FILES, record(tree.FILE, b"new", b"x")), RETURNED)
    with FakeGuest(monkeypatch) as guest:
        guest.says(*parts, then=files)
        assert guest.run(tmp_path) == (7, b"a" * 1024 + b"b")
    assert (tmp_path / "new").read_text() == "x"


LIES: list[tuple[bytes, str]] = [
    (b"a kernel message, say", "no frame"),
    (frame(wire.EXIT, wire.EXIT_STATUS.pack(0, 0), seal=wire.SEAL), "no frame"),
    (HELLO, "no frame"),
    (frame(wire.HELLO, b"6.99\nshared\n" + SEAL), "out of turn"),
    (frame(wire.HELLO, b"6.99\nshared\n" + SEAL, channel=0), "out of turn"),
    (frame(wire.CLEANED, b"x"), "out of turn"),
    (frame(wire.PONG, channel=0), "out of turn"),
    (frame(wire.PONG), "out of turn"),
    (frame(wire.ASK, b"x"), "out of turn"),
    (frame(wire.RUN), "out of turn"),
    (frame(99), "out of turn"),
    (frame(0), "a receipt for nothing"),
    (frame(0, channel=0) * 3, "a receipt for nothing"),
    (frame(wire.WANT) * 2, "out of turn"),
    (frame(wire.WANT, b"x"), r"too long|out of turn"),
    (frame(wire.STDOUT, b"x", 8), "unknown flags"),
    (frame(wire.STDOUT, length=1 << 31), r"a frame of \d+ bytes"),
    (frame(wire.STDOUT, b"x", MORE), "a frame of 1 bytes"),
    (frame(wire.STDOUT, length=9 << 20, flags=SHARED), r"a frame of \d+ bytes"),
    (frame(wire.STDOUT, length=8 << 20, flags=SHARED), "too long"),
    (frame(wire.BROKEN, bytes(1024), MORE, channel=0) * 65, "too long"),
    (frame(wire.STDOUT, bytes(1024), MORE) + EXIT, "in the middle of"),
    (frame(wire.STDOUT, bytes(1024), MORE) + frame(wire.PONG, channel=0), "in the middle of"),
    (frame(wire.STDOUT, b"x", channel=0), "out of turn"),
    (frame(wire.STDOUT, b"x", channel=2), "out of turn"),
    (frame(wire.EXIT, wire.EXIT_STATUS.pack(0, 0), channel=2), "out of turn"),
    (frame(wire.STDOUT, b"x", channel=65535), "out of turn"),
    (frame(wire.FILES, b""), "out of turn"),
    (RETURNED, "out of turn"),
    (EXIT + frame(wire.STDOUT, b"x"), "out of turn"),
    (EXIT + EXIT, "out of turn"),
    (frame(wire.EXIT), "a status of 0 bytes"),
    (frame(wire.EXIT, wire.EXIT_STATUS.pack(-1, 0)), "the status"),
    (frame(wire.EXIT, wire.EXIT_STATUS.pack(0x7F, 0)), "the status"),
    (frame(wire.REFUSED, b"\xff"), "no refusal"),
    (frame(wire.REFUSED, b"9999\nx"), "no refusal"),
]


@pytest.mark.parametrize(("lie", "words"), LIES, ids=range(len(LIES)))
def test_a_lie_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: bytes, words: str
) -> None:
    """What makes no sense, or comes out of turn, is a GuestError that says what it was."""
    with FakeGuest(monkeypatch) as guest:
        guest.says(frame(wire.STDOUT, b"x"), lie, hangs_up=False)
        with pytest.raises(GuestError, match=words):
            guest.run(tmp_path, given=b"x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (frame(wire.FILES, b"") + frame(wire.STDOUT, b"x"), "out of turn"),
        (frame(wire.FILES, b"x"), "cut off"),
        (frame(wire.FILES, record(tree.FILE, b"../x")), "leads out"),
        (frame(wire.FILES, record(9, b"x")), "unknown kind"),
        (EXIT, "out of turn"),
        (frame(wire.FILES, b"", channel=2), "out of turn"),
        (frame(wire.RETURNED, b"x"), "too long"),
    ],
    ids=range(7),
)
def test_a_lie_about_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: bytes, words: str
) -> None:
    """So is what makes no sense while files come back."""
    with FakeGuest(monkeypatch) as guest:
        guest.says(EXIT, then=(frame(wire.FILES), lie), hangs_up=False)
        with pytest.raises(GuestError, match=words):
            guest.run(tmp_path)


@pytest.mark.parametrize(
    "hello",
    [b"\xff" * 64, EXIT, frame(wire.HELLO, b"6.1", seal=wire.SEAL, channel=0), HELLO[:-1]],
    ids=["noise", "end", "short", "cut"],
)
def test_a_wrong_greeting_is_named(monkeypatch: pytest.MonkeyPatch, hello: bytes) -> None:
    """A guest that greets with something else never counts as booted."""
    monkeypatch.setattr("otherkernel.host.boot.DEAD_SECONDS", 1.0)
    with pytest.raises(GuestError):
        FakeGuest(monkeypatch, hello + frame(wire.HELLO, b"6.1", seal=wire.SEAL, channel=0))


def test_a_guest_that_only_talks_has_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output without end neither holds up a command's time limit nor the kill after it."""
    monkeypatch.setattr("otherkernel.host.command.KILL_SECONDS", 0.3)
    word = frame(wire.STDOUT, b"x")
    with FakeGuest(monkeypatch) as guest:
        guest.says(word * 200, more=word * 100, hangs_up=False)
        with pytest.raises(GuestHang, match="did not kill a command"):
            guest.run(tmp_path, timeout=0.3)


@pytest.mark.parametrize(
    ("limit", "words"),
    [(wire.WINDOW, "more of a command's output than may"), (1 << 16, "more messages at once")],
)
def test_messages_that_pile_up_have_a_limit(
    monkeypatch: pytest.MonkeyPatch, limit: int, words: str
) -> None:
    """A guest that sends more of a command, or of all, than anyone has taken in is given up."""
    taking = threading.Event()
    monkeypatch.setattr("otherkernel.host.streams.Streams.write", lambda *args: taking.wait())
    monkeypatch.setattr("otherkernel.host.line.PENDING", 2 * limit)
    with FakeGuest(monkeypatch) as guest, ThreadPoolExecutor() as pool:
        guest.says(frame(wire.STDOUT, bytes(1024)) * (wire.WINDOW // 1024), hangs_up=False)
        running = pool.submit(guest.run, None)
        changed = guest.boot.link.changed
        with changed:
            changed.wait_for(lambda: guest.boot.is_lost, 10)
        taking.set()
        with pytest.raises(GuestError, match=words):
            running.result()


def test_a_guest_that_sends_no_receipt_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that takes nothing in, but goes on talking, does not hold the host for ever."""
    monkeypatch.setattr("otherkernel.host.line.ANSWER_SECONDS", 0.3)
    word = frame(wire.ASK, b"x", channel=0)
    with FakeGuest(monkeypatch) as guest:
        guest.says(receipts=False, hangs_up=False)
        talking = threading.Thread(target=_talk, args=(guest, word, 0.01))
        talking.start()
        with pytest.raises(GuestError, match="no receipt in"):
            guest.run(None)
        guest.boot.close()
        talking.join()


def test_a_guest_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that asks for receipts and reads none."""
    with FakeGuest(monkeypatch) as guest:
        talking = threading.Thread(
            target=_talk, args=(guest, frame(wire.ASK, b"x", ACKNOWLEDGE, channel=0) * 1000, 0)
        )
        talking.start()
        with pytest.raises(GuestError, match=r"reads nothing|powered off"):
            guest.run(None)
        guest.boot.close()
        talking.join()


def _talk(guest: FakeGuest, words: bytes, pause: float) -> None:
    """Say something again and again, until the host hangs up."""
    try:
        while True:
            guest.line.sendall(words)
            time.sleep(pause)
    except OSError:
        pass


def test_names_from_a_guest_do_nothing_to_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control characters in names that an error repeats are replaced."""
    (tmp_path / "a\x1b[2J").write_text("newer")
    with FakeGuest(monkeypatch) as guest:
        guest.says(EXIT, then=(frame(wire.FILES, record(tree.FILE, b"x/\x1b[2J")), RETURNED))
        with pytest.raises(FilesKept) as kept:
            guest.run(tmp_path)
    assert "\x1b" not in str(kept.value)
    assert kept.value.paths == ("x/\ufffd[2J",)


def test_the_console_does_nothing_to_a_terminal() -> None:
    """Nor do the console's last lines, which an error repeats and anyone in the guest writes."""
    console = Console()
    console.feed(b"\x1b[31mred\x1b]0;title\x07 \xc2\x9b2J\x08 \xe2\x80\xae end\n")
    assert console.tail() == "red\ufffd]0;title\ufffd \ufffd2J\ufffd \ufffd end"


_GOOD = [b"file", b"sub", b"sub/file", b"out", b"new", b"new/deep", b"new/deep/er", b"made"]
_BAD = [
    b"..",
    b".",
    b"/etc",
    b"up/outside",
    b"up/new",
    b"out/new",
    b"../outside",
    b"out/x",
    b".git/x",
    b"a\0",
    b"",
]
_BAD += [b"x" * 300, b"\xff", b"sub/../../outside", b"up", b"file/x", b".otherkernel.part"]


class Liar:
    """Makes what a guest might say, of which some share is a lie."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._share = chance.choice([0.0, 0.003, 0.01, 0.03, 0.1])

    def _lies(self) -> bool:
        return self._chance.random() < self._share

    def _records(self) -> bytes:
        chance = self._chance
        made = []
        for _ in range(chance.randrange(4)):
            path = chance.choice(_BAD if self._lies() else _GOOD)
            if self._lies():
                path += b"/" + chance.choice(_BAD + _GOOD)
            kind = chance.choice([tree.FILE, tree.FILE, tree.FOLDER, tree.LINK, tree.GONE])
            data = chance.choice([b"x", b"file", b"sub", b"../outside", b"/etc/passwd", b".."])
            mode = chance.getrandbits(32) | 0o700
            made.append(record(kind, path, data, mode, chance.getrandbits(64) - (1 << 63)))
            if kind == tree.FILE and chance.random() < 0.3:
                made.append(record(tree.MORE, path, b"more", mode))
            if self._lies():
                made.append(record(chance.randrange(256), path, data, mode))
        packed = b"".join(made)
        return packed[: chance.randrange(len(packed) + 1)] if self._lies() else packed

    def _frame(self, kind: int) -> bytes:
        chance = self._chance
        if self._lies():
            kind = chance.randrange(28)
        if kind == wire.FILES:
            payload = self._records()
        elif kind == wire.EXIT:
            status = chance.getrandbits(32) - (1 << 31) if self._lies() else 256
            payload = wire.EXIT_STATUS.pack(status, 0)
        elif kind == wire.RETURNED and not self._lies():
            payload = b""
        else:
            payload = chance.randbytes(chance.choice([1, 100, 1024]))
        made = frame(
            kind,
            payload[:1024],
            chance.randrange(256) if self._lies() else chance.choice([0, 0, 0, ACKNOWLEDGE]),
            chance.getrandbits(32) if self._lies() else None,
            channel=chance.choice([0, 2, 64, 65, 65535]) if self._lies() else 1,
        )
        return _spoilt(chance, made) if self._lies() else made

    def session(self) -> tuple[list[bytes], list[bytes]]:
        """Return what it says while a command runs, and then of its files."""
        chance = self._chance
        kinds = [chance.choice([wire.STDOUT, wire.STDERR]) for _ in range(chance.randrange(20))]
        files = [wire.FILES] * chance.randrange(20)
        return (
            [self._frame(kind) for kind in [*kinds, wire.EXIT]],
            [self._frame(kind) for kind in [*files, wire.RETURNED]],
        )


def _spoilt(chance: random.Random, data: bytes) -> bytes:
    spoilt = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _made(folder: Path) -> None:
    """Make the folder that a guest is given, with ways out of it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("mine")
    (folder / "sub" / "file").write_text("mine")
    (folder / "out").symlink_to("../outside")
    (folder / "up").symlink_to("..")


def _ending(run: Callable[[], object]) -> str:
    """Return how a command ended; raise what no caller may expect of a guest that lies."""
    try:
        run()
    except Error as error:
        return type(error).__name__
    except OSError as error:
        # A command that was not started is that command's error.
        if traceback.extract_tb(error.__traceback__)[-1].name != "_hear":
            raise
        return "refused"
    return "normally"


def test_no_frame_harms_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever frames and records come, all stays in the folder, and errors are in words."""
    monkeypatch.setattr("otherkernel.host.command.KILL_SECONDS", 0.1)
    chance = random.Random(FRAMES)
    folder = tmp_path / "inside"
    (tmp_path / "outside").write_text("others")
    before = tree.scan(os.fsencode(tmp_path))
    sent = done = 0
    endings: dict[str, int] = {}
    memory: Callable[[], int] = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # noqa: E731
    at_start = 0
    while sent < FRAMES:
        frames, files = Liar(chance).session()
        _made(folder)
        with FakeGuest(monkeypatch) as guest:
            if chance.random() < 0.1:
                guest.shared[: 1 << 20] = chance.randbytes(1 << 20)
            guest.says(*frames, then=tuple(files))
            ending = _ending(lambda: guest.run(folder, timeout=1))
        endings[ending] = endings.get(ending, 0) + 1
        sent += len(frames) + len(files)
        done += 1
        if done == 100:
            at_start = memory()
        os.chmod(folder, 0o700)
        shutil.rmtree(folder)
        assert tree.scan(os.fsencode(tmp_path)) == before, (frames, files)
    assert memory() - at_start < 64 << 10  # KiB
    assert {"normally", "GuestError", "FilesKept"} <= endings.keys()

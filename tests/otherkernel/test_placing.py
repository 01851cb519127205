"""What a guest sends goes into the folder that it was given, and never over what is newer there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from otherkernel import tree
from otherkernel.placing import Placing


def record(
    kind: int, path: bytes, data: bytes = b"", mode: int = 0o644, time: int = 10**18
) -> bytes:
    """Return one record."""
    return tree.RECORD.pack(kind, mode, time, len(path), len(data)) + path + data


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Make a folder with a file, a folder and a link out of it, beside a file of others."""
    (tmp_path / "outside").write_text("others")
    folder = tmp_path / "inside"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text("mine")
    (folder / "file").write_text("mine")
    (folder / "out").symlink_to("../outside")
    (folder / "up").symlink_to("..")
    return folder


@pytest.fixture
def placing(inside: Path) -> Iterator[Placing]:
    """Take in what a guest sends that was sent all of the folder."""
    with Placing(os.fsencode(inside), tree.scan(os.fsencode(inside))) as made:
        yield made


def outside(folder: Path) -> tuple[str, int, list[str]]:
    """Return what must not change."""
    other = folder.parent / "outside"
    return other.read_text(), other.stat().st_mode, sorted(os.listdir(folder.parent))


def test_a_continuation_does_not_follow_a_link(inside: Path, placing: Placing) -> None:
    """After a link, more data under its name is refused: nothing is written through it."""
    before = outside(inside)
    packed = record(tree.LINK, b"new", b"../outside") + record(tree.MORE, b"new", b"x", 0o4755)
    with pytest.raises(tree.Malformed, match="without its beginning"):
        placing.apply(packed)
    assert outside(inside) == before


@pytest.mark.parametrize(
    "path",
    [b"../outside", b"/etc/x", b"sub/../../outside", b"", b".", b"./file", b"sub//file", b"a\0b"],
)
@pytest.mark.parametrize("kind", [tree.FILE, tree.FOLDER, tree.LINK, tree.GONE])
def test_a_path_that_leads_out_is_refused(
    inside: Path, placing: Placing, path: bytes, kind: int
) -> None:
    """Dots, absolute paths, empty parts and null bytes are refused, and nothing changes."""
    if (kind, path) == (tree.GONE, b"."):
        return  # says that the folder itself is gone
    before = outside(inside)
    with pytest.raises(tree.Malformed, match="leads out"):
        placing.apply(record(kind, path, b"x"))
    assert outside(inside) == before


@pytest.mark.parametrize("kind", [tree.FILE, tree.FOLDER, tree.LINK, tree.GONE])
def test_a_path_through_a_link_stays_undone(inside: Path, placing: Placing, kind: int) -> None:
    """What would stand behind a link, the host's or the guest's own, is not done."""
    before = outside(inside)
    placing.apply(record(tree.LINK, b"own", b"sub"))
    placing.apply(record(kind, b"up/outside", b"x") + record(kind, b"own/file", b"x"))
    assert placing.finish()
    assert kind == tree.GONE or set(placing.kept) == {b"up/outside", b"own/file"}
    assert outside(inside) == before
    assert (inside / "sub" / "file").read_text() == "mine"


def test_a_file_replaces_a_link_and_not_its_target(inside: Path, placing: Placing) -> None:
    """A file in the place of a link is written beside what the link leads to."""
    before = outside(inside)
    placing.apply(record(tree.FILE, b"out", b"x", 0o4777))
    placing.finish()
    assert (inside / "out").read_text() == "x"
    assert not (inside / "out").is_symlink()
    assert outside(inside) == before


@pytest.mark.parametrize(
    "target", [b"/etc/passwd", b"..", b"../outside", b"sub/../../outside", b"sub/../x"]
)
def test_a_link_that_leads_out_is_not_made(inside: Path, placing: Placing, target: bytes) -> None:
    """Links out of the folder, or through other links by dots, are not made but reported."""
    placing.apply(record(tree.LINK, b"new", target) + record(tree.LINK, b"sub/new", b"../file"))
    placing.finish()
    assert placing.kept == [b"new"]
    assert not (inside / "new").is_symlink()
    assert (inside / "sub" / "new").read_text() == "mine"


def test_no_mode_but_the_permissions_comes_back(inside: Path, placing: Placing) -> None:
    """Set-user-ID, set-group-ID and sticky bits are dropped, and a folder keeps its own."""
    (inside / "sub").chmod(0o2750)
    placing.apply(
        record(tree.FILE, b"new", b"x", 0o7755)
        + record(tree.FOLDER, b"made", b"", 0o7751)
        + record(tree.FOLDER, b"sub", b"", 0o7750)
    )
    placing.finish()
    modes = [stat.S_IMODE((inside / name).stat().st_mode) for name in ("new", "made", "sub")]
    assert modes == [0o755, 0o751, 0o2750]


def test_what_was_never_sent_is_not_touched(inside: Path, placing: Placing) -> None:
    """Version control, virtual environments and files made meanwhile are safe from a guest."""
    with pytest.raises(tree.Malformed, match="never copied"):
        placing.apply(record(tree.FILE, b".git/hooks/post-commit", b"x"))
    (inside / "venv").mkdir()
    os.mkfifo(inside / "pipe")
    placing.apply(
        record(tree.FOLDER, b"venv")
        + record(tree.FILE, b"venv/evil.pth", b"x")
        + record(tree.FILE, b"pipe", b"x")
        + record(tree.GONE, b"pipe")
    )
    placing.finish()
    assert set(placing.kept) == {b"venv", b"venv/evil.pth", b"pipe"}
    assert os.listdir(inside / "venv") == []
    assert stat.S_ISFIFO((inside / "pipe").stat().st_mode)


def test_what_changed_here_meanwhile_stays(inside: Path, placing: Placing) -> None:
    """A file changed, made or removed here meanwhile is as the host has it, and is named."""
    (inside / "file").write_text("newer")
    (inside / "made").write_text("newer")
    (inside / "sub" / "file").unlink()
    placing.apply(
        record(tree.GONE, b"out")
        + record(tree.FILE, b"file", b"theirs")
        + record(tree.FILE, b"made", b"theirs")
        + record(tree.FILE, b"sub/file", b"theirs")
    )
    placing.finish()
    assert placing.kept == [b"file", b"made", b"sub/file"]
    assert ((inside / "file").read_text(), (inside / "made").read_text()) == ("newer", "newer")
    assert not (inside / "sub" / "file").exists()
    assert not (inside / "out").is_symlink()


def test_a_removal_spares_what_changed_here(inside: Path, placing: Placing) -> None:
    """Of what the guest removed, a file that changed here stays, and its folder with it."""
    (inside / "sub" / "file").write_text("newer")
    placing.apply(record(tree.GONE, b"sub/file") + record(tree.GONE, b"sub"))
    placing.finish()
    assert placing.kept == [b"sub/file"]
    assert (inside / "sub" / "file").read_text() == "newer"


def test_nothing_goes_when_everything_would(inside: Path, placing: Placing) -> None:
    """A guest in which every file is gone empties nothing here."""
    before = tree.scan(os.fsencode(inside))
    placing.apply(b"".join(record(tree.GONE, path) for path in sorted(before, reverse=True)))
    assert not placing.finish()
    assert tree.scan(os.fsencode(inside)) == before


def test_all_files_may_move(inside: Path, placing: Placing) -> None:
    """Where new files come in the place of all the old ones, the old ones go."""
    gone = sorted(tree.scan(os.fsencode(inside)), reverse=True)
    placing.apply(b"".join(record(tree.GONE, path) for path in gone))
    placing.apply(record(tree.FILE, b"new", b"x"))
    assert placing.finish()
    assert os.listdir(inside) == ["new"]


def test_a_file_that_never_ends_leaves_nothing(inside: Path) -> None:
    """A guest lost in the middle of a file leaves the old one whole, and no half one."""
    names = sorted(os.listdir(inside))
    with Placing(os.fsencode(inside), tree.scan(os.fsencode(inside))) as placing:
        placing.apply(record(tree.FILE, b"file", b"x"))
    assert (inside / "file").read_text() == "mine"
    assert sorted(os.listdir(inside)) == names


def test_a_hard_link_is_not_written_through(inside: Path) -> None:
    """A file that also stands elsewhere under another name changes in the folder only."""
    os.link(inside.parent / "outside", inside / "linked")
    with Placing(os.fsencode(inside), tree.scan(os.fsencode(inside))) as placing:
        placing.apply(record(tree.FILE, b"linked", b"x"))
        placing.finish()
    assert (inside / "linked").read_text() == "x"
    assert (inside.parent / "outside").read_text() == "others"


def test_a_commands_files_have_a_limit(placing: Placing, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes or records than any command makes are refused."""
    monkeypatch.setattr("otherkernel.placing.MOST_BYTES", 10)
    with pytest.raises(tree.Malformed, match="more than"):
        placing.apply(record(tree.FILE, b"new", b"0123456789") + record(tree.MORE, b"new", b"0"))


@pytest.mark.parametrize("cut", [1, 20, 25, 29])
def test_a_cut_record_is_refused(placing: Placing, cut: int) -> None:
    """A pack that ends in the middle of a record is refused in words."""
    with pytest.raises(tree.Malformed, match=r"cut off|longer than"):
        placing.apply(record(tree.FILE, b"new", b"0123")[:cut])


def test_here_is_what_both_have(inside: Path, placing: Placing) -> None:
    """Afterwards a file written here meanwhile does not count as sent, and an equal one does."""
    (inside / "meanwhile").write_text("x")
    (inside / "file").write_text("newer")
    placing.apply(record(tree.FILE, b"back", b"x"))
    placing.finish()
    changed, gone = tree.differences(placing.here, tree.scan(os.fsencode(inside)))
    assert (changed, gone) == ([b"file", b"meanwhile"], [])

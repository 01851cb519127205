"""Files that the engine writes are whole, or are what they were."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from proof.errors import ProofError
from proof.whole import write_whole


def full_disk(descriptor: int) -> None:
    """Fail as fsync(2) does on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written whole changes nothing, leaves nothing beside it, and is an error."""
    file = tmp_path / "page.md"
    file.write_text("old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ProofError, match="is as it was: No space left on device"):
        write_whole(file, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]
    assert file.read_text() == "old"


def test_mode_and_links_stay(tmp_path: Path) -> None:
    """A file keeps its mode, a link still leads to it, and a new file is as open as any other."""
    file, link = tmp_path / "page.md", tmp_path / "link.md"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to("page.md")
    write_whole(link, "new\r\n")
    assert link.is_symlink()
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new\r\n", 0o640)
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.touch()
    write_whole(ours, "")
    assert ours.stat().st_mode == plain.stat().st_mode

"""What `make check` says of a site that has something to stumble over: each fault is named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checks.__main__ import problems
from checks.phrases import hard_phrases_in_markdown
from checks.spelling import read_words, unknown_words
from tests.proof.scratch import ROOT, Scratch


def found(site: Scratch, text: str) -> list[str]:
    """Write and build a site of one page, and check it."""
    site.write("docs/index.md", text)
    site.write("docs/words.txt", "ringbuf # a comment\n")
    built = site.python("mkdocs", "build", "--no-strict", "--site-dir", str(site.root / "site"))
    assert built.returncode == 0, built.stderr
    return [
        problem.replace(f"{site.root}/", "")
        for problem in problems(
            site.root / "site", site.root / "docs", site.root / "docs/words.txt"
        )
    ]


@pytest.fixture
def site(tmp_path: Path) -> Scratch:
    """A site of its own."""
    return Scratch(tmp_path)


def test_a_good_page_passes(site: Scratch) -> None:
    """Links, anchors, admonitions, images and names that are right raise no complaint."""
    site.write("docs/assets/a.svg", "<svg/>")
    text = """\
# A page

[Here](#here), [this page](index.md#here), [elsewhere](https://www.kernel.org/nowhere#x).

![A drawing of a ring](assets/a.svg)

!!! warning "Take care"
    The ringbuf of user_ring_buffer__new() is libbpf.so's, says `mispelled`.

??? note
    It's the user's. There is no room, it is no longer there, and it is none of these. A letter
    stands for a word. Who waits here?

## Here
"""
    assert found(site, text.replace("libbpf.so's", "the library's")) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[a](#nowhere)", "docs/index.md:3: the link '#nowhere' leads to no such anchor"),
        ('<a href="gone.html">a</a>', "docs/index.md:3: the link 'gone.html' leads to no page"),
        ("[a](/index.md)", "docs/index.md:3: the link '/index.md' begins with a slash"),
        ("![a](assets/gone.svg)", "docs/index.md:3: the link 'assets/gone.svg' leads to no page"),
        ("![](assets/proof.css)", "docs/index.md:3: the image 'assets/proof.css' has no alternat"),
        ("!!! caution\n    Take care.", "docs/index.md:3: no such type of admonition: caution"),
        ("??? caution\n    Take care.", "docs/index.md:3: no such type of admonition: caution"),
        ("!!! warning: take care", "docs/index.md:3: text, and no markup: '!!! w'"),
        ("Text to be written.", "docs/index.md:3: a placeholder: 'to be written'"),
        ("This is mispelled.", "docs/index.md:3: spelling: 'mispelled'"),
        ("The user's mispeled's.", "docs/index.md:3: spelling: 'mispeled'"),
    ],
)
def test_a_fault_is_named_with_its_line(site: Scratch, line: str, said: str) -> None:
    """Each thing to stumble over is found, and nothing else is."""
    complaints = found(site, f"# A page\n\n{line}\n")
    assert any(said in complaint for complaint in complaints), complaints
    assert len(complaints) == 1


@pytest.mark.parametrize("line", ["[a](gone.md)", "[a](index.md#nowhere)", "[a](#nowhere)"])
def test_a_broken_link_already_fails_the_build(site: Scratch, line: str) -> None:
    """A link to a page or an anchor that is not there stops `mkdocs build --strict`."""
    site.write("docs/index.md", f"# A page\n\n{line}\n")
    done = site.python("mkdocs", "build", "--strict")
    assert done.returncode != 0
    assert "nowhere" in done.stderr or "gone.md" in done.stderr


def test_the_command_fails(site: Scratch) -> None:
    """What `make check` runs ends with a status that fails it, and prints the complaint."""
    assert found(site, "# A paje\n")
    done = site.python("checks", "site")
    assert done.returncode == 1
    assert done.stderr.startswith("docs/index.md:1: spelling: 'paje'")
    empty = site.root / "empty"
    empty.mkdir()
    assert site.python("checks", "empty").returncode == 1


def test_a_page_outside_the_site_is_spelled_right_too(site: Scratch) -> None:
    """README.md and its like are checked as well, and those of packages."""
    site.write("README.md", "A paje.\n\n```\nno proze\n```\n")
    site.write("package/README.md", "It goes on.\n")
    said = [complaint.partition(" (")[0] for complaint in found(site, "# A page\n")]
    assert [complaint.replace(f"{site.root}/", "") for complaint in said] == [
        "README.md:1: spelling: 'paje'",
        "package/README.md:1: hard to read: 'goes on'",
    ]


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("A map that is none.", "is none"),
        ("That is no map.", "is no map"),
        ("The wait goes on.", "goes on"),
        ("The file stands here.", "stands"),
        ("Samples behind it wait.", "behind it"),
        ("It waits in vain.", "in vain"),
        ("Read it. Who waits longest is last.", ". Who waits"),
    ],
)
def test_a_phrase_that_is_read_twice_is_named(tmp_path: Path, line: str, phrase: str) -> None:
    """Turns of speech that were found on these pages do not come back."""
    path = tmp_path / "page.md"
    path.write_text(f"# A page\n\n{line}\n")
    (said,) = hard_phrases_in_markdown(path)
    assert said.startswith(f"{path}:3: hard to read: {phrase!r}")


def test_make_check_runs_the_checks() -> None:
    """The target builds the site strictly and hands it to the checks."""
    done = subprocess.run(
        ["make", "--dry-run", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "mkdocs build --strict --site-dir .cache/checked" in done.stdout
    assert "-m checks .cache/checked" in done.stdout


def test_no_word_of_the_list_is_in_the_dictionary_already() -> None:
    """The list holds only what it has to."""
    words = read_words(ROOT / "docs/words.txt")
    assert len(words) > 10
    assert set(unknown_words(" ".join(words), frozenset())) == words

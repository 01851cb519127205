"""Plain Markdown: read as CommonMark, each line with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.errors import ProofError
from proof.example.examples import Account, read_page
from proof.page.blocks import Block
from proof.page.pages import open_pages
from proof.page.plain import Folder, find


def page(root: Path, text: str, name: str = "README.md") -> Account:
    """Write a page and account for its blocks."""
    (root / name).write_text(text)
    return read_page(Folder(root).page(name))


def block(root: Path, text: str) -> Block:
    """Write a page that has one block, and return it."""
    (found,) = page(root, text).page.blocks
    return found


def test_a_fence_says_its_language_title_and_place(tmp_path: Path) -> None:
    """The words after a fence are its language, its file name, and its classes."""
    found = block(
        tmp_path, '---\na: b\n---\n# T\n\n```c { .illustration } title="a b.c"\nint x;\n```\n'
    )
    assert (found.language, found.title, str(found.origin(0))) == ("c", "a b.c", "README.md:7")
    assert "illustration" in found.classes


@pytest.mark.parametrize("around", ["- ", "1. ", "> "])
def test_fences_stand_in_lists_and_quotes(tmp_path: Path, around: str) -> None:
    """A block that is indented or quoted is a block, without what indents it."""
    inner = "> " if around == "> " else " " * len(around)
    text = f"# T\n\n{around}```sh\n{inner}$ echo 1\n{inner}1\n{inner}```\n"
    found = block(tmp_path, text)
    assert (found.lines, found.language) == (("$ echo 1", "1"), "console")
    assert str(found.origin(1)) == "README.md:5"


def test_what_looks_like_a_comment_shows_no_block(tmp_path: Path) -> None:
    """A fence within HTML's comment is named, as no reader sees it."""
    problems = page(tmp_path, "# T\n\n<!--\n```sh\n$ true\n```\n-->\n").problems
    assert [str(p).split(": ")[0] for p in problems] == ["README.md:4", "README.md:6"]


def test_details_are_shown_when_they_are_opened(tmp_path: Path) -> None:
    """Markdown between HTML's tags, with empty lines around it, is a block."""
    assert block(tmp_path, "<details>\n\n```sh\n$ true\n```\n\n</details>\n").language == "console"


@pytest.mark.parametrize("language", ["console", "shell-session", "bash", "sh", "shell"])
def test_commands_have_several_languages(tmp_path: Path, language: str) -> None:
    """Authors name what is typed in several ways."""
    assert block(tmp_path, f"# T\n\n```{language}\n$ true\n```\n").language == "console"


def test_a_script_is_no_session(tmp_path: Path) -> None:
    """A block of a shell's language without a prompt holds a script."""
    assert block(tmp_path, "# T\n\n```bash\ntrue\n```\n").language == "bash"


def test_prompts_languages_and_headings_are_settings(tmp_path: Path) -> None:
    """A documentation has its own habits."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.proof]\nprompts = ["% "]\nconsole-languages = ["term"]\n'
        'example-heading = "(?i)demo"\n'
    )
    account = page(
        tmp_path, "# T\n\n## A demo\n\n## Demo\n\n### More\n\n```term\n% echo 1\n1\n```\n"
    )
    (example,) = account.examples
    assert example.id == "demo"
    assert [c.text for c in example.sessions[0].commands] == ["echo 1"]


def test_a_folder_is_searched_without_what_is_not_its_own(tmp_path: Path) -> None:
    """Environments, packages of others and hidden folders have no pages of a project."""
    for name in ("a.md", "b/c.markdown", ".git/d.md", "node_modules/e.md", "env/f.md", "g.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "env/pyvenv.cfg").touch()
    assert Folder(tmp_path).paths() == ["a.md", "b/c.markdown"]


def test_pages_can_be_named(tmp_path: Path) -> None:
    """The setting `pages` has paths and patterns, each of which must name something."""
    (tmp_path / "a.md").touch()
    (tmp_path / "b.md").touch()
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.proof]\npages = ["b*"]\n')
    assert open_pages(tmp_path / "mkdocs.yml").paths() == ["b.md"]
    (tmp_path / "b.md").unlink()
    with pytest.raises(ProofError, match="no file is named 'b"):
        open_pages(tmp_path / "mkdocs.yml").paths()


def test_no_page_is_an_error(tmp_path: Path) -> None:
    """A folder without Markdown, and a path to nothing, are told apart."""
    with pytest.raises(ProofError, match=r"has no mkdocs\.yml and no Markdown file"):
        Folder(tmp_path).paths()
    with pytest.raises(ProofError, match="is no file and no folder"):
        list(find([tmp_path / "nothing"]))

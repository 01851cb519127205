"""The pytest plugin: `pytest --proof docs README.md` makes a test of each example.

What a `conftest.py` beside the pages may define, as fixtures:

- `proof_environment`: variables, a dict of strings, that an example's commands get;
- `proof_files`: further files in an example's directory, a dict of their texts by name, or the path
  of a folder to copy;
- `proof_kernel`: the name of the kernel for commands that begin with `sudo`.

An example that cannot be read is an error, one that prints something else than its page shows is a
failure; both name the page and the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from proof.errors import ProofError

if TYPE_CHECKING:
    from proof.example.examples import Example
    from proof.kernel.fitting import Fitting
    from proof.kernel.protocol import Kernel
    from proof.page.pages import Pages

_SITE = "mkdocs.yml"
_SUFFIXES = (".md", ".markdown")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--proof` and its kin."""
    group = parser.getgroup("proof", "examples of documentation")
    group.addoption("--proof", action="store_true", help="run the examples of Markdown files")
    group.addoption(
        "--proof-kernel",
        metavar="NAME",
        help="kernel for commands that begin with sudo: host, or one that otherkernel has",
    )
    group.addoption(
        "--proof-limit", type=float, metavar="SECONDS", help="for each session (default: 60)"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect Markdown files, if that was asked for."""
    if not parent.config.getoption("--proof") or file_path.suffix not in _SUFFIXES:
        return None
    return PageFile.from_parent(parent, path=file_path)


@pytest.fixture
def proof_environment() -> Mapping[str, str]:
    """Return variables that an example's commands get; define your own to give some."""
    return {}


@pytest.fixture
def proof_files() -> Mapping[str, str] | Path:
    """Return further files for an example's directory; define your own to give some."""
    return {}


@pytest.fixture(scope="session")
def proof_kernel(request: pytest.FixtureRequest) -> str | None:
    """Return the name of the kernel; define your own to choose one."""
    return cast("str | None", request.config.getoption("--proof-kernel"))


@pytest.fixture(scope="session")
def proof_kernels() -> Iterator[dict[Path, Fitting]]:
    """Keep the kernels of each documentation until the last example has run."""
    kernels: dict[Path, Fitting] = {}
    yield kernels
    for each in kernels.values():
        each.close()


@pytest.fixture
def proof_fit(
    request: pytest.FixtureRequest, proof_kernel: str | None, proof_kernels: dict[Path, Fitting]
) -> Kernel:
    """Return the kernel for an example; that there is none is an error, as it has not run."""
    from proof.kernel import protocol  # noqa: PLC0415
    from proof.kernel.fitting import Fitting  # noqa: PLC0415

    item = cast("ExampleItem", request.node)
    pages = item.pages
    try:
        if pages.root not in proof_kernels:
            proof_kernels[pages.root] = Fitting(pages.root, pages.settings, proof_kernel)
        kernel = proof_kernels[pages.root].of(item.example.requires)
        protocol.check(kernel)
    except ProofError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    return kernel


class PageFile(pytest.File):
    """A page of a documentation."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield a test for each example, and one for what is wrong with the rest of the page."""
        # It takes a while, and only who asks for it shall wait.
        from proof.example.examples import read_page  # noqa: PLC0415

        try:
            pages = _pages_of(self.path, self.config.rootpath)
            account = read_page(pages.page(self.path.relative_to(pages.root).as_posix()))
        except ProofError as error:
            yield ProblemItem.from_parent(self, name="page", problems=[error])
            return
        if account.problems:
            yield ProblemItem.from_parent(self, name="page", problems=list(account.problems))
        for example in account.examples:
            yield ExampleItem.from_parent(
                self, name=example.id, callobj=_check(example), example=example, pages=pages
            )


def _check(example: Example) -> Callable[..., None]:
    """Return the test function of an example, which asks for its fixtures by their names."""

    def check(
        request: pytest.FixtureRequest,
        proof_fit: Kernel,
        proof_environment: Mapping[str, str],
        proof_files: Mapping[str, str] | Path,
    ) -> None:
        from proof.run.prove import prove  # noqa: PLC0415
        from proof.run.shell import LIMIT, Given  # noqa: PLC0415

        limit = request.config.getoption("--proof-limit") or LIMIT
        given = Given(proof_files, proof_environment)
        proof = prove(example, proof_fit, limit, check=False, given=given)
        if proof.failures:
            pytest.fail("\n".join(proof.failures), pytrace=False)

    return check


def _pages_of(path: Path, root: Path) -> Pages:
    """Return the documentation that a file is of: the nearest site or project around it."""
    from proof import settings  # noqa: PLC0415
    from proof.page.pages import open_pages  # noqa: PLC0415

    for folder in path.parents:
        if (folder / _SITE).is_file() or (folder / settings.FILE).is_file():
            return open_pages(folder / _SITE)
    return open_pages((root if path.is_relative_to(root) else path.parent) / _SITE)


class ProblemItem(pytest.Item):
    """What is wrong with a page, so that it cannot be run."""

    def __init__(self, *, problems: list[ProofError], **others: object) -> None:
        super().__init__(**others)  # type: ignore[arg-type]
        self._problems = problems

    def setup(self) -> None:
        """Fail before the test itself begins: that makes it an error."""
        pytest.fail("\n".join(map(str, self._problems)), pytrace=False)

    def runtest(self) -> None:
        """Do nothing: `setup` has failed."""

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the page, and the line of the first problem."""
        return self.path, None, f"{self.path.name}: blocks"


class ExampleItem(pytest.Function):
    """An example, as a function that has fixtures."""

    def __init__(self, *, example: Example, pages: Pages, **others: object) -> None:
        super().__init__(**others)  # type: ignore[arg-type]
        self.example, self.pages = example, pages

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the page, and the line of the example's first block."""
        start = self.example.blocks[0].start
        return self.path, start.line - 1 if start else None, self.example.name

"""The example of every docstring is linted, and run against a ring of the kernel's."""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

import userrb
from userrb import _core

ROOT = Path(__file__).parent.parent.parent
STUB = ROOT / "userrb" / "_core.pyi"


def examples() -> list[CodeExample]:
    """Finds the examples; of the stub, which pytest-examples does not read, a copy named .py."""
    with tempfile.TemporaryDirectory() as folder:  # two runs at a time may look for them
        copy = Path(folder, "_core.py")
        shutil.copy(STUB, copy)
        return list(find_examples(*sorted((ROOT / "userrb").glob("*.py")), copy))


def place(example: CodeExample) -> str:
    """Names an example: the same in every process."""
    return f"{example.path.name}:{example.start_line}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes a test of each example, named after its place."""
    if "example" in metafunc.fixturenames:
        metafunc.parametrize("example", examples(), ids=place)


@pytest.mark.host
def test_the_example_of_a_docstring_runs(
    example: CodeExample,
    eval_example: EvalExample,
    compile_bpf: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The example passes ruff, and raises nothing."""
    shutil.copy(compile_bpf("drain"), tmp_path / "drain.bpf.o")
    monkeypatch.chdir(tmp_path)
    eval_example.set_config(line_length=100, ruff_ignore=["D", "S", "SIM117", "E302", "E305"])
    eval_example.lint_ruff(example)
    eval_example.run(example)


def public() -> list[tuple[str, object]]:
    """Every public name of the package, and the public methods of its classes."""
    names: list[tuple[str, object]] = []
    for name in userrb.__all__:
        value = getattr(userrb, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            names.append((name, value))
        if inspect.isclass(value) and value.__module__.startswith("userrb"):
            names += [
                (f"{name}.{part}", getattr(value, part))
                for part in dir(value)
                if not part.startswith("_")
                and callable(getattr(value, part))
                and not hasattr(tuple, part)
                and not hasattr(BaseException, part)
            ]
    return names


@pytest.mark.parametrize(("name", "value"), public(), ids=[name for name, _ in public()])
def test_every_public_name_has_a_docstring(name: str, value: object) -> None:
    """help() says something about each name."""
    assert inspect.getdoc(value), name


def test_the_words_of_c_and_stub_are_the_same() -> None:
    """The docstrings compiled into the extension are those of the stub."""
    for line in ("Reserve a sample, without waiting.", "Source: `user_ring_buffer__reserve` of"):
        assert line in STUB.read_text()
        assert line in str(_core.Ring.reserve.__doc__)

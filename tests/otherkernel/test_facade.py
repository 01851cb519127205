"""The public names of the package: these, and no others."""

from __future__ import annotations

import inspect

import otherkernel
from otherkernel import errors


def test_the_facade_is_what_it_says() -> None:
    """Each name in `__all__` is there, sorted; every other public name is a module."""
    public = {name for name in vars(otherkernel) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(otherkernel, name))}
    assert otherkernel.__all__ == sorted(public - modules)


def test_every_error_is_one_of_ours() -> None:
    """One `except otherkernel.Error` catches all that the package raises by itself."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    assert len(kinds) > 5
    for kind in kinds:
        assert issubclass(kind, otherkernel.Error)
        assert kind.__name__ in otherkernel.__all__

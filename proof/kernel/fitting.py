"""Example to kernel: the chosen one, or the default one where this machine's lacks something."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from proof.errors import ProofError
from proof.kernel.choose import choose, chosen_name, default
from proof.kernel.protocol import HOST, Kernel
from proof.settings import Settings


class Fitting:
    """Finds a kernel that has what an example needs.

    Args:
        root: As of `choose`, like the others.
        settings: Of the repository.
        name: The chosen kernel's.
        cpus: Of a virtual machine.

    Attributes:
        chosen: The kernel that was chosen.
    """

    def __init__(
        self, root: Path, settings: Settings, name: str | None = None, *, cpus: int = 1
    ) -> None:
        self._root, self._settings, self._cpus = root, settings, cpus
        self._name = chosen_name(name)
        self.chosen = choose(root, settings, name, cpus=cpus)

    @cached_property
    def other(self) -> Kernel:
        """The kernel that serves where this machine's lacks something."""
        return choose(self._root, self._settings, default(), cpus=self._cpus)

    def of(self, requires: Sequence[str]) -> Kernel:
        """Return the kernel for an example.

        Args:
            requires: What the example needs.

        Raises:
            ProofError: Neither kernel has that, or it was not this machine's that was chosen.
        """
        lacks = self.chosen.lacks(requires)
        if not lacks:
            return self.chosen
        if self._name != HOST:
            raise ProofError(f"the kernel {self._name} lacks {', '.join(lacks)}")
        if still := self.other.lacks(requires):
            raise ProofError(
                f"neither this machine's kernel nor the default one has {', '.join(still)}; is it"
                " spelled right?"
            )
        return self.other

    def close(self) -> None:
        """Leave the kernels."""
        self.chosen.close()
        if "other" in vars(self):
            self.other.close()

"""A kernel in a virtual machine, for the commands of a session that begin with `sudo`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from proof import kernel, probe
from proof.errors import GuestError, GuestOutOfMemory, ProofError
from proof.relay import Order, Relay
from proof.vm.machine import Vm


class Virtual:
    """A kernel that this machine does not run; `proof.kernel.Kernel` in QEMU.

    One machine serves all sessions, each in a directory of its own. It is booted when it is needed,
    and again after it was lost or when a session left something in the kernel that cannot be
    removed.

    Args:
        name: A key of `kernels.toml`, or the path of a vmlinuz.
        library: A library of `kernels.toml` to have in the place of the system's.
        paths: Further files and folders of this machine to have in the guest.
        cpus: How many processors the guest has.

    Attributes:
        boots: How often it was booted.
        retries: How many more boots failed, each of which was tried once more.
        left: What sessions left behind that took another boot.
    """

    def __init__(
        self,
        name: str | Path,
        *,
        library: str | None = None,
        paths: Iterable[Path] = (),
        cpus: int = 1,
    ) -> None:
        self.name = name
        self.boots = 0
        self.retries = 0
        self.left: list[str] = []
        self.library = library
        self._paths = tuple(paths)
        self._cpus = cpus
        self._vm: Vm | None = None
        self._seen: dict[str, str | int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """See `Kernel.close`: end the machine, if there is one."""
        if self._vm is not None:
            self._vm.close()
            self._vm = None

    @property
    def vm(self) -> Vm:
        """The machine, booted if it is not up.

        Raises:
            ProofError: The kernel could not be had, or does not boot.
        """
        if self._vm is None:
            self._vm = Vm(self.name, paths=self._paths, library=self.library, cpus=self._cpus)
            self.boots += 1
            self.retries += self._vm.boot_retries
            self._vm.clean()
        return self._vm

    def refusal(self) -> str | None:
        """Return why examples cannot run there, or None if they can."""
        return kernel.refused(self._look())

    def check(self) -> None:
        """See `Kernel.check`."""
        fault = self.refusal()
        if fault:
            raise ProofError(fault)

    def facts(self) -> dict[str, str]:
        """See `Kernel.facts`."""
        return kernel.told(self._look())

    def _look(self) -> dict[str, str | int]:
        if not self._seen:
            script = Path(probe.__file__).read_text(encoding="utf-8")
            words = [sys.executable, "-c", script]
            done = self.vm.run(words, cwd="/", capture_output=True, check=True)
            self._seen = json.loads(done.stdout)
        return self._seen

    @contextmanager
    def session(self, tools: Path, home: Path) -> Iterator[None]:
        """See `Kernel.session`."""
        machine = self.vm
        script = kernel.SUDO

        def run(order: Order) -> int:
            return machine.run(
                ["/bin/sh", "-c", script, "sudo", *order.words],
                cwd=order.cwd,
                env=order.env,
                tree=home,
                stdin=order.streams[0],
                stdout=order.streams[1],
                stderr=order.streams[2],
                signals=order.signals,
            ).returncode

        relay = Relay(tools, run)
        try:
            yield
        finally:
            relay.close()
            self._tidy(machine, home, relay.failure)
        if relay.failure is not None:
            raise relay.failure

    def _tidy(self, machine: Vm, home: Path, failure: ProofError | None) -> None:
        """Leave nothing of a session for the next one, if need be with another boot."""
        if isinstance(failure, GuestError) and not isinstance(failure, GuestOutOfMemory):
            self.close()
            return
        try:
            left = machine.clean(home)
        except GuestError:
            self.close()
            raise
        # What the memory killer has killed besides nobody knows.
        if left or isinstance(failure, GuestError):
            self.left += left
            self.close()

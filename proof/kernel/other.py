"""A kernel in a virtual machine: the only place that knows of `otherkernel`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import otherkernel
from otherkernel import Machine
from proof.errors import KernelLost, ProofError
from proof.kernel import probe, sudo
from proof.kernel.protocol import Needs, Seen, column_name
from proof.kernel.relay import Relay, Request
from proof.kernel.sandbox import Free

_LOST: dict[type[otherkernel.GuestError], str] = {
    otherkernel.GuestPanic: "guest: panic",
    otherkernel.GuestHang: "guest: hang",
    otherkernel.GuestOutOfMemory: "guest: no memory",
    otherkernel.EmulatorDied: "guest: QEMU died",
    otherkernel.BootFailed: "guest: no boot",
}


class OtherKernel:
    """`proof.kernel.protocol.Kernel` in QEMU.

    One machine serves all sessions, each in a directory of its own. It is booted when it is needed,
    and again after it was lost or when a session left something in the kernel that cannot be
    removed.

    Args:
        name: A name of the catalogue, or the path of a vmlinuz.
        probe_file: The script that tells what the kernel is; "" is the engine's own.
        library: A library of the catalogue to have in the place of the system's.
        paths: Further files and folders of this machine to have in the guest.
        cpus: How many processors the guest has.

    Attributes:
        column: See `Kernel`.
        boots: See `Kernel`.
        retries: See `Kernel`.
        left: What sessions left behind that took another boot.
    """

    def __init__(
        self,
        name: str | Path,
        probe_file: str | Path = "",
        *,
        library: str | None = None,
        paths: Iterable[Path] = (),
        cpus: int = 1,
    ) -> None:
        self.name = name
        self.column = "" if "/" in str(name) else column_name(str(name), library)
        self.boots = 0
        self.retries = 0
        self.left: list[str] = []
        self.library = library
        self._probe = Path(probe_file or probe.__file__)
        self._paths = tuple(paths)
        self._cpus = cpus
        self._machine: Machine | None = None
        self._seen: Seen | None = None
        self._needs = Needs(self._ask)

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
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    @property
    def machine(self) -> Machine:
        """The machine, booted if it is not up.

        Raises:
            ProofError: The kernel could not be had, or does not boot.
        """
        if self._machine is None:
            try:
                machine = Machine(
                    self.name, paths=self._paths, library=self.library, cpus=self._cpus
                )
                self._machine = machine
                self.boots += 1
                self.retries += machine.boot_retries
                machine.clean()
            except otherkernel.Error as error:
                raise told(error) from error
        return self._machine

    def boot(self) -> None:
        """Boot the machine, if it is not up.

        Raises:
            ProofError: As of `machine`.
        """
        _ = self.machine

    def refusal(self) -> str | None:
        """See `Kernel.refusal`."""
        return self._look().refusal

    def facts(self) -> dict[str, str]:
        """See `Kernel.facts`."""
        return dict(self._look().facts)

    def lacks(self, words: Iterable[str]) -> list[str]:
        """See `Kernel.lacks`."""
        return self._needs.lacks(words)

    def _look(self) -> Seen:
        if self._seen is None:
            self._seen = self._ask()
        return self._seen

    def _ask(self, about: Sequence[str] = ()) -> Seen:
        words = [sys.executable, "-c", self._probe.read_text(encoding="utf-8"), *about]
        try:
            done = self.machine.run(words, cwd="/", capture_output=True, text=True)
        except otherkernel.Error as error:
            raise told(error) from error
        if done.returncode:
            raise ProofError(f"the probe of {self.name} failed: {done.stderr.strip()}")
        return Seen(done.stdout)

    def run(self, words: Sequence[str], cwd: Path, limit: float, said: str = "") -> tuple[int, str]:
        """Run a command as root; return its status and what it printed.

        Args:
            words: The command.
            cwd: A folder whose files it finds; what becomes of them comes back.
            limit: Seconds, after which it is killed, and the status is -1.
            said: Its standard input.

        Raises:
            ProofError: The kernel could not be had, or was lost; the next command gets another.
        """
        machine = self.machine
        try:
            done = machine.run(
                words,
                cwd=cwd,
                input=said,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=limit,
                text=True,
                errors="replace",
            )
            self._tidy(machine, cwd, None)
        except subprocess.TimeoutExpired:
            self.close()
            return -1, f"it did not end within {limit:g} seconds"
        except otherkernel.Error as error:
            self.close()
            raise told(error) from error
        return done.returncode, done.stdout

    @contextmanager
    def session(self, tools: Path, home: Path, place: Free) -> Iterator[None]:
        """See `Kernel.session`."""
        machine = self.machine

        def run(request: Request) -> int:
            try:
                return machine.run(
                    ["/bin/sh", "-c", sudo.SCRIPT, "sudo", *request.words],
                    cwd=request.cwd,
                    env=request.env,
                    tree=home,
                    stdin=request.streams[0],
                    stdout=request.streams[1],
                    stderr=request.streams[2],
                    signals=request.signals,
                ).returncode
            except otherkernel.Error as error:
                raise told(error) from error
            finally:
                place.give(home)  # what came back was written by us

        relay = Relay(tools, run)
        try:
            yield
        finally:
            relay.close()
            self._tidy(machine, home, relay.failure)
        if relay.failure is not None:
            raise relay.failure

    def _tidy(self, machine: Machine, home: Path, failure: ProofError | None) -> None:
        """Leave nothing of a session for the next one, if need be with another boot."""
        if isinstance(failure, KernelLost) and not failure.up:
            self.close()
            return
        try:
            left = machine.clean(home)
        except otherkernel.GuestError as error:
            self.close()
            raise told(error) from error
        # What the memory killer has killed besides nobody knows.
        if left or isinstance(failure, KernelLost):
            self.left += left
            self.close()


def told(error: otherkernel.Error) -> ProofError:
    """Return what the engine raises for what befell a kernel."""
    if not isinstance(error, otherkernel.GuestError):
        return ProofError(str(error))
    how = next((words for kind, words in _LOST.items() if isinstance(error, kind)), "guest: lost")
    up = isinstance(error, otherkernel.GuestOutOfMemory) and error.survived
    return KernelLost(str(error), how, up=up)


def find(name: str) -> None:
    """Look whether there is a kernel of this name; a path is looked at when it is booted.

    Raises:
        ProofError: There is none; the message lists those there are.
    """
    try:
        if "/" not in name:
            otherkernel.load_catalogue().find(name)
    except otherkernel.Error as error:
        raise told(error) from error


def default() -> str:
    """Return the name of the kernel that serves where this machine's own cannot be used.

    Raises:
        ProofError: The catalogue cannot be read.
    """
    try:
        return otherkernel.load_catalogue().default
    except otherkernel.Error as error:
        raise told(error) from error


def all_kernels() -> list[tuple[str, str | None]]:
    """Return each kernel with the system's libraries, and the default one with each other library.

    Raises:
        ProofError: The catalogue cannot be read.
    """
    try:
        catalogue = otherkernel.load_catalogue()
    except otherkernel.Error as error:
        raise told(error) from error
    plain: list[tuple[str, str | None]] = [(name, None) for name in catalogue.kernels]
    return [*plain, *((catalogue.default, library) for library in catalogue.libraries)]

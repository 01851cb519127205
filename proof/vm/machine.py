"""A virtual machine that runs commands, with the interface of `subprocess`."""

import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from proof.errors import EmulatorDied, GuestError, GuestOutOfMemory
from proof.vm import accelerator, command, guest, image, tree, wire, workdir
from proof.vm.boot import Guest

MEMORY = 512  # MiB
BOOT_SECONDS = 60.0
KILL_SECONDS = 20.0  # for the guest to kill a command and say so


class Vm:
    """A guest that serves many commands, one at a time.

    Each command finds in its working directory what the host has there, and nothing else; what it
    writes, changes or removes there is so on the host afterwards. Background processes end with
    the command that started them. Methods may be called from several threads; commands queue.

    Args:
        kernel: a key of ``kernels.toml``, or the path of a vmlinuz or vmlinux.
        memory: the guest's, in MiB.
        paths: further files and folders of the host's to have in the guest, at the same paths.
        boot_timeout: seconds until it must be up.

    Attributes:
        kernel: as given.
        release: the running kernel's own name (uname -r).
        boot_retries: how many boots failed before this one; never more than one.
        boot_failure: the error of that one.

    Raises:
        FetchError: the kernel could not be had.
        KernelFileError: there is no such kernel.
        GuestError: the guest did not come up, twice.
    """

    def __init__(
        self,
        kernel: str | Path,
        *,
        memory: int = MEMORY,
        paths: Iterable[Path] = (),
        boot_timeout: float = BOOT_SECONDS,
    ) -> None:
        """Boots the guest; what is not cached is fetched first."""
        self.kernel = kernel
        self.boot_retries = 0
        self.boot_failure: GuestError | None = None
        self._closed = False
        self._busy = False  # the guest is not waiting for a command
        self._lock = threading.Lock()
        self._workdirs = workdir.Workdirs()
        booted = image.find(kernel)
        files = guest.archive()

        def boot(kvm: bool, limit: float) -> Guest:
            return Guest(booted, files, memory, kvm, limit)

        kvm = accelerator.use_kvm(lambda: boot(True, accelerator.PROBE_SECONDS).close())
        try:
            self._guest = boot(kvm, boot_timeout)
        except GuestError as failure:
            # Emulators fail to boot a sound kernel now and then, and KVM may have stopped working
            # since its probe. No command has run yet.
            self.boot_retries = 1
            self.boot_failure = failure
            self._guest = boot(False, boot_timeout)
        self.release = self._guest.release
        try:
            for pack in tree.pack(b"/", guest.sources(paths), ()):
                self._guest.send(wire.FILES, pack)
            self._guest.send(wire.PLACE, b"/")
        except BaseException:
            self.close()
            raise

    @property
    def process_id(self) -> int:
        """The emulator's process."""
        return self._guest.process_id

    def __enter__(self) -> "Vm":
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Kills the guest. Nothing of it is left; closing again does nothing."""
        self._closed = True
        self._guest.close()

    def run(
        self,
        args: command.Arg | Sequence[command.Arg],
        *,
        stdin: int | IO[Any] | None = None,
        input: bytes | str | None = None,  # noqa: A002  (subprocess calls it so)
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        capture_output: bool = False,
        shell: bool = False,
        cwd: str | bytes | os.PathLike[str] | None = None,
        timeout: float | None = None,
        check: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        text: bool | None = None,
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[Any]":
        """Runs a command as root in the guest, as `subprocess.run` would run it here.

        Two things differ. Without ``stdin`` and ``input`` the input is empty, as the guest has no
        terminal; and without ``env`` the environment is a plain one, as under sudo.

        Raises:
            subprocess.TimeoutExpired: ``timeout`` seconds were over; the command was killed, and
                the guest is still up.
            subprocess.CalledProcessError: ``check`` was given and the command failed.
            OSError: the command or the directory is not there, or cannot be run.
            GuestOutOfMemory: the guest's memory was full; ``survived`` tells whether it is up.
            GuestError: the guest panicked, hangs, its emulator died, or it is closed already.
            ProofError: the directory is too large to be copied.
            ValueError: arguments contradict each other.
        """
        if capture_output:
            if stdout is not None or stderr is not None:
                raise ValueError("stdout and stderr may not be used with capture_output")
            stdout = stderr = subprocess.PIPE
        if input is not None and stdin is not None:
            raise ValueError("stdin and input may not both be used")
        textual = text or encoding is not None or errors is not None
        decoding = (encoding or "utf-8", errors or "strict")
        if isinstance(input, str):
            input = input.encode(*decoding)  # noqa: A001
        streams = command.Streams(stdin, input, stdout, stderr, decoding if textual else None)
        folder = os.path.abspath(os.fsencode(cwd) if cwd is not None else os.getcwdb())
        order = wire.Order(
            command.words(args, shell),
            folder,
            command.environment(env),
            streams.merge,
            synced=not workdir.is_system(folder),
            fresh=False,
            time=0.0,
        )
        with self._lock:
            try:
                status = self._run(order, streams, timeout)
            except subprocess.TimeoutExpired as expired:
                expired.cmd = args
                raise
            finally:
                if self._busy:
                    # What it still does could not be told from what the next command does.
                    self.close()
        out, error = streams.results
        done = subprocess.CompletedProcess(args, status, out, error)
        if check:
            done.check_returncode()
        return done

    def _run(self, order: wire.Order, streams: command.Streams, timeout: float | None) -> int:
        """Runs a command to its end, and returns its status as `subprocess` gives it."""
        if self._closed:
            raise GuestError("the guest is closed, or was lost earlier: start another Vm")
        started = time.monotonic()
        machine = self._guest
        machine.begin()
        if order.synced:
            order.fresh = self._workdirs.send(order.cwd, lambda pack: self._send(wire.FILES, pack))
        order.time = time.time()
        self._send(wire.RUN, order.pack())
        for part in streams.input():
            self._send(wire.STDIN, part)
        deadline = None if timeout is None else started + timeout
        payload, expired = self._follow(order, streams, deadline)
        if order.synced:
            self._workdirs.took_back(order.cwd)
        self._busy = False
        status, struck = wire.EXIT_STATUS.unpack(payload)
        if struck:
            raise self._out_of_memory(struck)
        if expired and timeout is not None:
            raise subprocess.TimeoutExpired(order.args, timeout, *streams.raw)
        return os.waitstatus_to_exitcode(status)

    def _follow(
        self, order: wire.Order, streams: command.Streams, deadline: float | None
    ) -> tuple[bytes, bool]:
        """Passes on what a command does; returns how it ended, and whether its time was over."""
        machine = self._guest
        expired = False
        while True:
            if not machine.wait(deadline):
                if expired:
                    raise machine.hung(
                        f"it did not kill a command in {KILL_SECONDS:.0f} seconds "
                        "after its time was over"
                    )
                expired = True
                deadline = time.monotonic() + KILL_SECONDS
                self._send(wire.KILL)
                continue
            kind, payload = machine.link.inbox.popleft()
            if kind in (wire.STDOUT, wire.STDERR):
                streams.write(kind == wire.STDERR, payload)
            elif kind == wire.FILES:
                tree.apply(order.cwd, payload)
            elif kind == wire.REFUSED:
                self._busy = False
                number, _, path = payload.decode().partition("\n")
                raise OSError(int(number), os.strerror(int(number)), path)
            elif kind == wire.BROKEN:
                raise EmulatorDied(
                    f"the guest's agent failed:\n{payload.decode()}", machine.console.tail()
                )
            elif kind == wire.EXIT:
                return payload, expired

    def _send(self, kind: int, payload: bytes = b"") -> None:
        """Sends the guest a message, after which it is busy."""
        self._busy = True
        self._guest.send(kind, payload)

    def _out_of_memory(self, struck: int) -> GuestOutOfMemory:
        """Returns the error for a command during which the out-of-memory killer struck."""
        machine = self._guest
        machine.settle_console(1.0, until_killed=struck)
        victims = ", ".join(machine.console.killed()) or f"{struck} processes"
        return GuestOutOfMemory(
            f"the guest ran out of memory ({machine.memory} MiB): its kernel killed {victims}; "
            "the guest itself is still up",
            machine.console.tail(),
            survived=True,
        )

"""A virtual machine that runs commands, with the interface of `subprocess`."""

import functools
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from otherkernel import cache, wire
from otherkernel.errors import EmulatorDied, Error, GuestError
from otherkernel.host import accelerator, arguments, workdirs
from otherkernel.host.boot import Boot
from otherkernel.host.command import Command
from otherkernel.host.line import plain
from otherkernel.host.streams import Streams
from otherkernel.host.turns import Turns
from otherkernel.image import archive, hostfiles, layer_files, overlay
from otherkernel.kernels import find
from otherkernel.tree import pack as files_of

MEMORY = 768  # MiB
BOOT_SECONDS = 60.0
CLEAN_SECONDS = 30.0


class Machine:
    """A guest that serves many commands, several at a time.

    Each command finds in its working directory what the host has there, and nothing else; what it
    writes, changes or removes there is so on the host afterwards, unless that changed on the host
    meanwhile. Background processes end with the command that started them.

    Methods may be called from several threads; up to 64 commands run at a time, and further ones
    wait. Commands that share a directory share its files in the guest: when one ends, all that any
    of them has done there until then comes back, half-written files too, which come again when
    their writers end. When one starts, what changed on the host since goes to the guest, and over
    what the others made of the same file. Commands of which one's directory is inside the other's
    take turns. A background process that has left its command's session ends when no command
    runs any more.

    Args:
        kernel: A key of `catalogue.toml`, or the path of a vmlinuz or vmlinux.
        memory: The guest's, in MiB; unless it is given, enough.
        cpus: How many processors it has; more than one only for what is to collide.
        paths: Further files and folders of the host's to have in the guest, at the same paths.
        library: A library of `catalogue.toml` to have in the place of the host's.
        boot_timeout: Seconds until it must be up.

    Attributes:
        kernel: As given.
        release: The running kernel's own name (uname -r).
        boot_retries: How many boots failed before this one; never more than one.
        boot_failure: The error of that one.

    Raises:
        FetchError: The kernel could not be had.
        KernelFileError: There is no such kernel.
        GuestError: The guest did not come up, twice.
    """

    def __init__(
        self,
        kernel: str | Path,
        *,
        memory: int | None = None,
        cpus: int = 1,
        paths: Iterable[Path] = (),
        library: str | None = None,
        boot_timeout: float = BOOT_SECONDS,
    ) -> None:
        """Boots the guest; what is not cached is fetched first."""
        self.kernel = kernel
        self.boot_retries = 0
        self.boot_failure: GuestError | None = None
        self._closed = False
        self._turns = Turns(wire.AT_ONCE)
        self._workdirs = workdirs.Workdirs()
        start = functools.partial(self._start, memory or MEMORY, cpus, library, boot_timeout)
        try:
            start([])
        except cache.Damaged:
            start(None)
        self.release = self._boot.release
        threading.Thread(target=self._serve, name="otherkernel-layers", daemon=True).start()
        try:
            if paths := list(paths):
                for pack in files_of(b"/", hostfiles.places(paths), ()):
                    self._boot.send(wire.FILES, pack)
                self._boot.send(wire.PLACE, b"/")
        except BaseException:
            self.close()
            raise

    def _start(
        self,
        memory: int,
        cpus: int,
        library: str | None,
        limit: float,
        unread: list[Path] | None,
    ) -> None:
        """Boot the guest.

        Args:
            memory: See the class; so are the others.
            cpus: See there.
            library: See there.
            limit: Seconds until it must be up.
            unread: An empty list: what is cached is compared with its checksums while it boots.

        Raises:
            Damaged: Something does not fit, of which nothing has been used: try again with None,
                which makes it anew.
        """
        booted = find.image(self.kernel, unread)
        overlays = overlay.packages(library) if library is not None else ()
        base = archive.made(overlays, unread)
        self._layers = layer_files.LayerFiles(base)

        def boot(kvm: bool, limit: float) -> Boot:
            return Boot(
                booted, base.path, memory, cpus, kvm, limit, lambda: cache.check(unread or [])
            )

        kvm = accelerator.use_kvm(lambda: boot(True, accelerator.PROBE_SECONDS).close())
        try:
            self._boot = boot(kvm, limit)
        except GuestError as failure:
            # Emulators fail to boot a sound kernel now and then, and KVM may have stopped working
            # since its probe. No command has run yet.
            self.boot_retries = 1
            self.boot_failure = failure
            self._boot = boot(False, limit)

    @property
    def process_id(self) -> int:
        """The emulator's process."""
        return self._boot.process_id

    def __enter__(self) -> "Machine":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Kills the guest. Nothing of it is left; closing again does nothing."""
        self._closed = True
        self._boot.close()

    def run(
        self,
        args: arguments.Arg | Sequence[arguments.Arg],
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
        tree: str | bytes | os.PathLike[str] | None = None,
        signals: int | None = None,
    ) -> "subprocess.CompletedProcess[Any]":
        """Run a command as root in the guest, as `subprocess.run` would run it here.

        Two things differ. Without `stdin` and `input` the input is empty, as the guest has no
        terminal; and without `env` the environment is a plain one, as under sudo. An output
        stream that goes to a terminal here is a terminal to the command too.

        Two arguments are not of `subprocess`. `tree` is the folder whose files the command finds,
        and whose changes come back: `cwd`, unless it is given, or one above it. `signals` is a
        descriptor from which the numbers of signals for the command can be read meanwhile, a byte
        each; at its end the command is killed.

        Raises:
            subprocess.TimeoutExpired: `timeout` seconds were over; the command was killed, and
                the guest is still up.
            subprocess.CalledProcessError: `check` was given and the command failed.
            OSError: The command or the directory is not there, or cannot be run.
            GuestOutOfMemory: The guest's memory was full; `survived` tells whether it is up.
            GuestError: The guest panicked, hangs, its emulator died, or it is closed already.
            FilesKept: Some of what the command did to its files was not done here, as they changed
                here meanwhile, or everything would have gone. All the rest was.
            Error: The directory is too large to be copied, or cannot be read or written.
            ValueError: Arguments contradict each other.
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
        streams = Streams(stdin, input, stdout, stderr, decoding if textual else None)
        folder = os.path.abspath(os.fsencode(cwd) if cwd is not None else os.getcwdb())
        root = os.path.abspath(os.fsencode(tree)) if tree is not None else folder
        order = wire.Order(
            arguments.words(args, shell),
            folder,
            arguments.environment(env),
            streams.merge,
            streams.terminals,
            b"" if workdirs.is_system(root) else root,
            fresh=False,
            time=0.0,
        )
        using = self._workdirs.using(order.root) if order.root else nullcontext()
        with self._turns.one_of_many(), using as workdir:
            self._check()
            running = Command(self._boot, order, streams, workdir, signals)
            try:
                status = running.finish(timeout)
            except subprocess.TimeoutExpired as expired:
                expired.cmd = args
                raise
            finally:
                if running.busy:
                    # What it still does could not be told from what the next command does.
                    self.close()
        out, error = streams.results
        done = subprocess.CompletedProcess(args, status, out, error)
        if check:
            done.check_returncode()
        return done

    def _check(self) -> None:
        if self._closed or self._boot.is_lost:
            raise GuestError("the guest is closed, or was lost earlier: start another Machine")

    def _serve(self) -> None:
        """Send the guest the layers that it asks for, until it is lost."""
        boot = self._boot
        try:
            while message := boot.next(boot.link.channels[0]):
                kind, payload = message
                if kind == wire.BROKEN:
                    raise EmulatorDied(f"the guest's agent failed:\n{plain(payload)}")
                self._bring(payload)
        except Error as error:
            failure = error if isinstance(error, GuestError) else GuestError(str(error))
            boot.given_up(lambda: failure)

    def _bring(self, name: bytes) -> None:
        """Send the guest a layer that it asks for.

        Args:
            name: As the guest gave it.

        Raises:
            Error: It cannot be read; it was being changed, perhaps.
        """
        wanted = name.decode("utf-8", "surrogateescape")
        carried = [workdirs.carries(root) for root in self._workdirs.used()]
        try:
            for piece in self._layers.pieces(wanted, lambda place: any(c(place) for c in carried)):
                self._boot.send(wire.LAYER, piece)
        except OSError as error:
            raise Error(f"{error.filename}: {error.strerror}: the guest needs it") from error
        places = [os.fsencode(place) for place in self._layers.places(wanted)]
        self._boot.send(wire.LAYERED, b"\n".join([name, *places]))

    def clean(self, folder: Path | None = None) -> list[str]:
        """Remove what commands have left in the guest: a folder, pins, mounts, control groups.

        Args:
            folder: The one that they ran in. The first call, which must come before any command,
                is without it: the guest learns what is always there.

        Returns:
            What is still there, in words: only another boot gets rid of it.
        """
        with self._turns.alone():
            self._check()
            if folder is not None:
                self._workdirs.forget(os.fsencode(folder))
            channel = self._boot.open()
            try:
                name = os.fsencode(folder) if folder is not None else b""
                self._boot.post(wire.CLEAN, name, channel.number)
                answer = self._boot.next(channel, time.monotonic() + CLEAN_SECONDS)
            finally:
                self._boot.link.close(channel)
            if answer is None:
                why = f"it did not tidy up in {CLEAN_SECONDS:.0f} seconds"
                raise self._boot.given_up(lambda: self._boot.hung(why))
            return plain(answer[1]).splitlines()

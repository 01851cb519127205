"""The emulator's process: how it is called, and how it is made to end with this one."""

from __future__ import annotations

import mmap
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from otherkernel import wire
from otherkernel.errors import Error

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

PROGRAM = "qemu-system-x86_64"
# panic=-1 restarts at once, which ends QEMU; an oops ends a guest rather than confuse its results;
# the crypto self-tests take long under emulation and prove nothing here. The kernel must not use
# cx16 (feature 4 * 32 + 13), with which QEMU 7.2 corrupts guests under emulation; but the processor
# has to have it, as NumPy does not start on a lesser one. A loaded host may be late with the timer,
# which the kernel otherwise checks at boot, and panics.
COMMAND_LINE = (
    "console=ttyS0 panic=-1 oops=panic quiet cryptomgr.notests clearcpuid=141 no_timer_check"
)

_spawners: dict[int, ThreadPoolExecutor] = {}
_spawners_lock = threading.Lock()


def program(name: str, package: str) -> str:
    """Return a program's path.

    Raises:
        Error: It is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise Error(f"{name} is needed: apt install {package}")
    return found


def _spawner() -> ThreadPoolExecutor:
    """Return the thread that starts the emulators of this process's other threads."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (slow, and seldom needed)

    with _spawners_lock:
        return _spawners.setdefault(os.getpid(), ThreadPoolExecutor(1, "otherkernel-spawn"))


class Emulator(NamedTuple):
    """A running QEMU, with our ends of its two serial ports and the memory shared with it.

    Nothing of it has a name in the file system, so nothing can be left there.
    """

    process: subprocess.Popen[bytes]
    console: socket.socket
    line: socket.socket
    shared: mmap.mmap

    def kill(self) -> None:
        """Kills it, if it still runs."""
        self.process.kill()

    def close(self) -> None:
        """Kills it, if it still runs, and frees all."""
        self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        self.console.close()
        self.line.close()
        self.shared.close()

    def complaint(self) -> str:
        """Return what QEMU itself wrote to its standard error, once it has ended."""
        if self.process.stderr is None or self.process.poll() is None:
            return ""
        return self.process.stderr.read().decode(errors="replace").strip()


def start(kernel: Path, archive: Path, memory: int, cpus: int, kvm: bool) -> Emulator:
    """Start an emulator.

    Args:
        kernel: A vmlinux or vmlinuz.
        archive: The guest's files.
        memory: The guest's, in MiB.
        cpus: How many processors it has.
        kvm: Use the processor's virtualisation.

    Raises:
        Error: QEMU is not installed.
    """
    command = [
        # However this process ends, its emulator ends with it.
        *(program("setpriv", "util-linux"), "--pdeathsig", "KILL"),
        *(program(PROGRAM, "qemu-system-x86"), "-no-user-config", "-nodefaults"),
        *("-accel", "kvm" if kvm else "tcg"),
        # With erms ("string moves are fast") the kernel copies byte by byte, which emulated is
        # slow: half a second at boot.
        *("-cpu", "max,-erms", "-M", "q35", "-m", str(memory), "-smp", str(cpus)),
        *("-display", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(archive), "-append", COMMAND_LINE),
    ]
    console, their_console = socket.socketpair()
    line, their_line = socket.socketpair()
    memory_file = os.memfd_create("otherkernel")
    try:
        os.ftruncate(memory_file, wire.SHARED_SIZE)
        shared = mmap.mmap(memory_file, wire.SHARED_SIZE)
        path = f"/proc/self/fd/{memory_file}"
        command += [
            *("-chardev", f"socket,id=console,fd={their_console.fileno()}"),
            *("-serial", "chardev:console"),
            *("-chardev", f"socket,id=line,fd={their_line.fileno()}", "-serial", "chardev:line"),
            "-object",
            f"memory-backend-file,id=shared,share=on,mem-path={path},size={wire.SHARED_SIZE}",
            *("-device", "ivshmem-plain,memdev=shared"),
        ]
        theirs = (their_console.fileno(), their_line.fileno(), memory_file)

        def spawn() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command,
                pass_fds=theirs,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us, who then end it
            )

        # "Die with your parent" means the parent's thread: one that lives as long as we do.
        lasts = threading.current_thread() is threading.main_thread()
        process = spawn() if lasts else _spawner().submit(spawn).result()
    finally:
        their_console.close()
        their_line.close()
        os.close(memory_file)
    return Emulator(process, console, line, shared)

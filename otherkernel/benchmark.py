"""How long a boot takes: `python -m otherkernel.benchmark`.

Runs take turns, so that a busy machine slows all alike: the kernel alone, with an archive that
holds busybox and powers off; `true`; and what else is named. The seconds are those of the whole
command, compiled as an installed package is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from otherkernel.host import qemu
from otherkernel.image import archive, cpio
from otherkernel.kernels import find

GOAL = 1.3
"""Times the kernel alone that `true` may take."""

_INIT = b"#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n"
_COMMANDS = (["true"], ["python3", "-c", "pass"])
_MEMORY = 768  # MiB


def _bare(path: Path) -> None:
    """Write the archive with busybox only."""
    with path.open("wb") as file:
        written = cpio.Writer(file)
        for folder in ("/bin", "/dev", "/proc", "/sys"):
            written.folder(folder)
        written.device("/dev/console", 5, 1)
        written.file("/bin/busybox", Path(archive.busybox()).read_bytes(), 0o755)
        written.file("/init", _INIT, 0o755)
        written.close()


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> int:
    """Measure and print; the exit status tells whether the goal is reached."""
    parser = argparse.ArgumentParser(prog="python -m otherkernel.benchmark", description=__doc__)
    parser.add_argument("--kernel", default="6.12")
    parser.add_argument("--times", type=int, default=7, help="runs of each (default: %(default)s)")
    parser.add_argument("--python", action="append", default=[], help="a further Python command")
    options = parser.parse_args()
    kernel = find.image(options.kernel)
    commands = [*_COMMANDS, *(["python3", "-c", each] for each in options.python)]
    with tempfile.TemporaryDirectory() as folder:
        path, empty = Path(folder, "cpio"), Path(folder, "empty")
        empty.mkdir()
        _bare(path)

        def alone() -> None:
            emulator = qemu.start(kernel, path, _MEMORY, 1, kvm=False)
            while emulator.console.recv(65536):
                pass
            emulator.process.wait()
            emulator.close()

        def in_guest(words: list[str]) -> None:
            own = [sys.executable, "-m", "otherkernel", "run", "--kernel", options.kernel]
            env = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
            env.pop("PYTHONDONTWRITEBYTECODE", None)
            subprocess.run([*own, "--directory", empty, "--", *words], check=True, env=env)

        path_of = {"the kernel alone, with busybox": alone}
        for words in commands:
            path_of[" ".join(words)] = lambda words=words: in_guest(words)  # type: ignore[misc]
        for run in path_of.values():
            run()  # fills the caches
        seconds: dict[str, list[float]] = {name: [] for name in path_of}
        for _ in range(options.times):
            for name, run in path_of.items():
                seconds[name].append(_seconds(run))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    alone_median, ours = list(medians.values())[:2]
    for name, median in medians.items():
        times = f"{median / alone_median:.2f} times"
        print(f"{median:7.2f} s  {times:12} {min(seconds[name]):7.2f} s at best  {name}")
    return int(ours > GOAL * alone_median)


if __name__ == "__main__":
    sys.exit(main())

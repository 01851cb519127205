"""The subcommands `run` and `kernels` of `python -m proof`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from proof.errors import ProofError
from proof.vm import fetch, kernels
from proof.vm.machine import Vm


def add_run(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `run`."""
    summary = "run a command as root on a kernel, with the files of this directory"
    parser = subcommands.add_parser("run", help=summary, description=summary)
    parser.add_argument("--kernel", required=True, help="one that `kernels` lists, or a vmlinuz")
    parser.add_argument("--directory", type=Path, help="another working directory than this one")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds, then it is killed")
    parser.add_argument("--memory", type=int, help="MiB (default: enough)")
    parser.add_argument("--cpus", type=int, default=1, help="processors (default: %(default)s)")
    parser.add_argument("--stdin", action="store_true", help="read standard input, to its end")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND ARGS...")
    # 125 as of env(1) and its kin: the runner failed, not the command.
    parser.set_defaults(do=_run, failed=125)


def _run(options: argparse.Namespace) -> int:
    """Run a command on a kernel; its status is ours."""
    words = options.words
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise ProofError("which command? python -m proof run --kernel KERNEL -- COMMAND ARGS...")
    with Vm(options.kernel, memory=options.memory, cpus=options.cpus) as vm:
        if vm.boot_retries:
            print(f"proof: booted at the second try: {vm.boot_failure}", file=sys.stderr)
        try:
            done = vm.run(
                words,
                cwd=options.directory,
                stdin=0 if options.stdin else None,
                timeout=options.timeout,
            )
        except subprocess.TimeoutExpired as expired:
            print(f"proof: killed after {expired.timeout:g} seconds", file=sys.stderr)
            return 124  # as of timeout(1)
        except FileNotFoundError as error:
            print(f"proof: {error.filename}: not found in the guest", file=sys.stderr)
            return 127  # as of a shell
        except PermissionError as error:
            print(f"proof: {error.filename}: cannot be run", file=sys.stderr)
            return 126
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def add_kernels(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kernels`."""
    summary = "list the kernels, and which of them are cached"
    parser = subcommands.add_parser("kernels", help=summary, description=summary)
    parser.add_argument(
        "--fetch", nargs="+", default=[], metavar="KERNEL", help="fetch these anew first"
    )
    parser.add_argument("--default", action="store_true", help="print the default one's name only")
    parser.add_argument("--check", metavar="KERNEL", help="only look whether there is such a one")
    parser.set_defaults(do=_kernels, failed=125)


def _kernels(options: argparse.Namespace) -> int:
    """List the kernels, or fetch some."""
    data = kernels.load()
    if options.default:
        print(data.default)
        return 0
    if options.check is not None:
        if "/" not in options.check:
            data.find(options.check)
        return 0
    for name in options.fetch:
        fetch.kernel(data.find(name), data, refresh=True)
    for kernel in data.kernels.values():
        state = fetch.cached_version(kernel) or "not cached"
        where = f"{kernel.distribution} {'/'.join(kernel.suites)} {kernel.architecture}"
        print(f"{kernel.name:12} {where:30} {state}")
    return 0

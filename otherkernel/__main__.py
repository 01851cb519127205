"""The command line: `python -m otherkernel run --kernel 6.12 -- COMMAND`, and `kernels`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from otherkernel.errors import Error
from otherkernel.kernels import catalogue, fetch
from otherkernel.machine import Machine

# As of env(1) and its kin: the runner failed, not the command.
_FAILED = 125


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m otherkernel", description=__doc__)
    subcommands = parser.add_subparsers(required=True, metavar="command")
    _add_run(subcommands)
    _add_kernels(subcommands)
    options = parser.parse_args(arguments)
    try:
        Path.cwd()
    except FileNotFoundError:
        return _say("the working directory was removed; go to another one", _FAILED)
    try:
        status: int = options.do(options)
    except Error as error:
        return _say(str(error), _FAILED)
    except BrokenPipeError:
        return 141  # as of a shell: whoever read our output has gone
    except KeyboardInterrupt:
        return 130
    return status


def _say(what: str, status: int) -> int:
    print(f"otherkernel: {what}", file=sys.stderr)
    return status


def _add_run(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "run a command as root on a kernel, with the files of this directory"
    parser = subcommands.add_parser("run", help=summary, description=summary)
    parser.add_argument("--kernel", required=True, help="one that `kernels` lists, or a vmlinuz")
    parser.add_argument("--directory", type=Path, help="another working directory than this one")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds, then it is killed")
    parser.add_argument("--memory", type=int, help="MiB (default: enough)")
    parser.add_argument("--cpus", type=int, default=1, help="processors (default: %(default)s)")
    parser.add_argument("--stdin", action="store_true", help="read standard input, to its end")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND ARGS...")
    parser.set_defaults(do=_run)


def _run(options: argparse.Namespace) -> int:
    """Run a command on a kernel; its status is ours."""
    words = options.words
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise Error("which command? python -m otherkernel run --kernel KERNEL -- COMMAND ARGS...")
    with Machine(options.kernel, memory=options.memory, cpus=options.cpus) as machine:
        if machine.boot_retries:
            _say(f"booted at the second try: {machine.boot_failure}", 0)
        try:
            done = machine.run(
                words,
                cwd=options.directory,
                stdin=0 if options.stdin else None,
                timeout=options.timeout,
            )
        except subprocess.TimeoutExpired as expired:
            return _say(f"killed after {expired.timeout:g} seconds", 124)  # as of timeout(1)
        except FileNotFoundError as error:
            return _say(f"{error.filename}: not found in the guest", 127)  # as of a shell
        except PermissionError as error:
            return _say(f"{error.filename}: cannot be run", 126)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _add_kernels(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "list the kernels, and which of them are cached"
    parser = subcommands.add_parser("kernels", help=summary, description=summary)
    parser.add_argument(
        "--fetch", nargs="+", default=[], metavar="KERNEL", help="fetch these anew first"
    )
    parser.add_argument("--default", action="store_true", help="print the default one's name only")
    parser.add_argument("--check", metavar="KERNEL", help="only look whether there is such a one")
    parser.set_defaults(do=_kernels)


def _kernels(options: argparse.Namespace) -> int:
    """List the kernels, or fetch some."""
    data = catalogue.load()
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


def script() -> NoReturn:
    """Run as the console script."""
    sys.exit(main())


if __name__ == "__main__":
    script()

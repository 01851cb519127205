"""What `sudo` is in a session: a program that notes each call, and leads to the kernel.

`SCRIPT` stands for sudo where there is no real one: for root here, and on another kernel. It keeps
from the environment what Debian's sudo keeps, so that a command that would miss the virtual
environment's PATH for a reader misses it here too.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

CALLS = "sudo.calls"
"""A file beside the program, with a line for each call."""


def install(tools: Path, words: Sequence[str]) -> None:
    """Write a session's `sudo`.

    Args:
        tools: The directory it goes into.
        words: The command that it is, to which its arguments are added.
    """
    calls = tools / CALLS
    calls.touch()
    calls.chmod(0o666)  # the session may be another user's; no other comes to where it is
    program = tools / "sudo"
    text = f'#!/bin/sh\necho >>{shlex.quote(str(calls))}\nexec {shlex.join(words)} "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)


SCRIPT = r"""#!/bin/sh
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
while [ $# -gt 0 ]; do
    case $1 in
    -n | -H | --non-interactive | --set-home) ;;
    --) shift; break ;;
    -*) echo "sudo: the option $1 is not known to this session's sudo" >&2; exit 1 ;;
    *) break ;;
    esac
    shift
done
program=
for word; do
    case $word in
    [A-Za-z_]*=*) ;;
    *) program=$word; break ;;
    esac
done
[ "$program" ] || { echo "usage: sudo [VAR=value] command [arguments]" >&2; exit 1; }
(PATH=$path && command -v -- "$program") >/dev/null || {
    echo "sudo: $program: command not found" >&2
    exit 1
}
umask 022
exec env -i ${LANG+"LANG=$LANG"} ${LC_ALL+"LC_ALL=$LC_ALL"} ${TERM+"TERM=$TERM"} \
    ${TZ+"TZ=$TZ"} PROOF_SESSION="$PROOF_SESSION" \
    HOME=/root LOGNAME=root MAIL=/var/mail/root PATH="$path" SHELL=/bin/bash USER=root \
    SUDO_COMMAND="$*" SUDO_GID=0 SUDO_UID=0 SUDO_USER=root "$@"
"""

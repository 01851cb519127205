"""Root to reader: what a session of root's is confined to, so that it can do what a reader can.

Without `sudo` its commands are those of an unprivileged user: one that needs `sudo` and lacks it
fails, as it does for a reader. With `sudo` they are root's, in the same place: mounts, pins in
/sys/fs/bpf and files in /tmp are the session's own. All of it ends with the session, and so does
each of its processes, even if this one is killed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from proof.errors import ProofError

_USER = "nobody"
"""Who a session is without `sudo` where root runs it."""

# In a mount namespace of its own: hides folders of this machine (covers), and shows below each what
# the session may see of it; says its number. When it is asked, it lists what the session left. It
# lasts as long as its standard input.
_HOLD = r"""
set -e
private=$1 cgroup=$2; shift 2
while [ $# -gt 0 ]; do
    cover=$1 stage=$private/stage; shift
    mkdir -p "$stage"
    mount -t tmpfs -o mode=1777 proof "$stage"
    while [ "$1" ]; do
        mkdir -p "$stage${1#"$cover"}"
        mount --bind "$1" "$stage${1#"$cover"}"
        shift
    done
    shift
    mount --move "$stage" "$cover"
done
! mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
# Each line of these is something that a session could leave.
seen() {
    find /sys/fs/bpf -mindepth 1 2>/dev/null | sed 's/^/the pin /'
    cut -d' ' -f1,5 /proc/self/mountinfo | sed 's/^\([0-9]*\) /the mount \1 at /'
}
line_end='
'
before=$line_end$(seen)$line_end
echo $$
read -r asked || exit 0
# What was killed a moment ago may still be dying.
for _ in $(seq 50); do
    [ "$cgroup" ] && grep -q . "$cgroup/cgroup.procs" || break
    sleep 0.02
done
[ ! "$cgroup" ] || while read -r pid; do
    echo "the process $pid, $(tr '\0' ' ' <"/proc/$pid/cmdline")"
done <"$cgroup/cgroup.procs"
seen | while read -r line; do
    case $before in *"$line_end$line$line_end"*) ;; *) echo "$line" ;; esac
done
exit 3
"""

# Around that, outside the namespace: ends what is left when it ends, for whatever reason.
_END = r"""
unshare --mount /bin/sh -c "$0" sh "$@"
asked=$?
[ ! "$2" ] || {
    echo 1 >"$2/cgroup.kill"
    until rmdir "$2" 2>/dev/null; do sleep 0.01; done
}
[ $asked = 3 ] || rm -rf --one-file-system "$1"
"""

_JOIN = '[ ! "$0" ] || echo $$ >"$0/cgroup.procs"; exec "$@"'


class Free:
    """The place of a session that is confined to nothing: its user is not root.

    Attributes:
        user: Who the session is without `sudo`.
        ends_all: Whether every process of the session ends when it is closed.
        left: After it was closed: what the session left behind, in words.
    """

    user = pwd.getpwuid(os.getuid())
    ends_all = False
    left: tuple[str, ...] = ()

    def reader(self, words: Sequence[str]) -> list[str]:
        """Return words that run a command as the session's user."""
        return list(words)

    def root(self, words: Sequence[str]) -> list[str]:
        """Return words that run a command with `sudo`, where this process is root."""
        return list(words)

    def give(self, folder: Path) -> None:
        """Make all in a folder the user's."""

    def close(self) -> None:
        """End all that is left of the session."""


class Sandbox(Free):
    """The place of a session that root runs.

    Args:
        private: A folder that is only for this session.
        folders: Those below it that the session sees.

    Raises:
        ProofError: There can be none on this machine.
    """

    def __init__(self, private: Path, folders: Iterable[Path]) -> None:
        self.user = pwd.getpwnam(_USER)
        self._cgroup = _control_group()
        self.ends_all = bool(self._cgroup)
        # What a session's programs are: Python, its packages, our `sudo`, and the repository's own.
        here = Path(__file__).parent
        shown = [*folders, Path(sys.prefix), Path(sys.base_prefix), here, Path.cwd()]
        words = ["/bin/sh", "-c", _END, _HOLD, str(private), self._cgroup]
        for cover, below in _covers(shown).items():
            words += [str(cover), *map(str, below), ""]
        self._holder = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # whatever kills us, it is there to tidy up
        )
        self._pid = cast(IO[str], self._holder.stdout).readline().strip()
        if not self._pid.isdecimal():
            self.close()
            raise ProofError(
                "a session that root runs needs a mount namespace, which this machine does not give"
                f" it ({self._pid}): run this as another user, who may use sudo"
            )

    def reader(self, words: Sequence[str]) -> list[str]:
        """See `Free.reader`."""
        ids = [f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups"]
        return self.root(["setpriv", *ids, "--inh-caps=-all", "--", *words])

    def root(self, words: Sequence[str]) -> list[str]:
        """See `Free.root`."""
        mounts = f"--mount=/proc/{self._pid}/ns/mnt"
        return ["nsenter", mounts, "--", "/bin/sh", "-c", _JOIN, self._cgroup, *words]

    def give(self, folder: Path) -> None:
        """See `Free.give`."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)

    def close(self) -> None:
        """See `Free.close`."""
        said, _ = self._holder.communicate("\n")
        self.left = tuple(said.splitlines())


@contextlib.contextmanager
def confined(private: Path, folders: Iterable[Path]) -> Iterator[Free]:
    """Make the place of a session, and end it in any case; see `Sandbox` for the arguments."""
    place = Sandbox(private, folders) if os.geteuid() == 0 else Free()
    try:
        yield place
    finally:
        place.close()


def _control_group() -> str:
    """Make a control group for the processes of a session; "" where there can be none."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    for line in lines:
        words, _, rest = line.partition(" - ")
        group = Path(words.split(" ")[4], f"proof-{uuid.uuid4().hex}")
        if rest.startswith("cgroup2 "):
            with contextlib.suppress(OSError):
                group.mkdir()
                if (group / "cgroup.kill").exists():  # from Linux 5.14 on
                    return str(group)
                group.rmdir()
    return ""


def _covers(shown: Iterable[Path]) -> dict[Path, list[Path]]:
    """Return which folders of this machine to hide, and what to show below each.

    That is /tmp, and what an unprivileged user may not enter: the home of root, say, if that is
    where the virtual environment is.
    """
    covers: dict[Path, list[Path]] = {Path("/tmp"): []}  # noqa: S108 - it is hidden
    for path in sorted({each.resolve() for each in shown}):
        for parent in reversed(path.parents):
            if parent in covers or not parent.stat().st_mode & stat.S_IXOTH:
                covers.setdefault(parent, []).append(path)
                break
    return covers

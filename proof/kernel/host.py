"""The kernel of this machine.

A session's `sudo` is the real one; or, where root runs it, a stand-in that treats the environment
as sudo does, and runs the command as root in the place of the session (see `sandbox`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from proof.errors import ProofError
from proof.kernel import privilege, probe, sudo
from proof.kernel.protocol import HOST, Needs, Seen
from proof.kernel.relay import Relay
from proof.kernel.sandbox import Free


class Host:
    """`proof.kernel.protocol.Kernel` of this machine.

    Args:
        probe_file: The script that tells what the kernel is; "" is the engine's own.
    """

    column = HOST
    boots = retries = 0

    def __init__(self, probe_file: str | Path = "") -> None:
        self._probe = str(probe_file or probe.__file__)
        self._seen: Seen | None = None
        self._needs = Needs(self._ask)

    def refusal(self) -> str | None:
        """See `Kernel.refusal`."""
        if os.geteuid() != 0 and (fault := _no_sudo()):
            return fault
        return self._look().refusal

    @contextmanager
    def session(self, tools: Path, home: Path, place: Free) -> Iterator[None]:
        """See `Kernel.session`."""
        if os.geteuid() != 0:
            sudo.install(tools, [shutil.which("sudo") or "/usr/bin/sudo"])
            yield
        else:
            relay = Relay(tools, partial(privilege.run, place))
            try:
                yield
            finally:
                relay.close()
            if relay.failure is not None:
                raise relay.failure

    def facts(self) -> dict[str, str]:
        """See `Kernel.facts`."""
        return dict(self._look().facts)

    def lacks(self, words: Iterable[str]) -> list[str]:
        """See `Kernel.lacks`."""
        return self._needs.lacks(words)

    def close(self) -> None:
        """See `Kernel.close`."""

    def _look(self) -> Seen:
        if self._seen is None:
            self._seen = self._ask()
        return self._seen

    def _ask(self, about: Sequence[str] = ()) -> Seen:
        rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
        words = [*rights, sys.executable, self._probe, *about]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise ProofError(f"{' '.join(words)} failed with status {done.returncode}: {said}")
        return Seen(done.stdout)


def _no_sudo() -> str | None:
    if not shutil.which("sudo"):
        return (
            "the examples need privilege for what runs on the kernel: run this as root, or install"
            " sudo (apt-get install sudo) and let your user use it"
        )
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, text=True, check=False)
    if asked.returncode:
        return (
            "the examples need sudo, and it asks for a password: run `sudo -v` in this terminal"
            " first, or run this as root"
        )
    return None

"""What a session leaves in the kernel, which the next one must not find.

Runs in the guest, between commands: every process of a session is dead by then, so that whatever is
left was pinned, mounted or attached to something.
"""

import os
import time

from otherkernel import tree

_PINS = "/sys/fs/bpf"
_CONTROL_GROUPS = "/sys/fs/cgroup"
_SETTLED = 1.0  # seconds within which the kernel frees what nothing holds any more

_BPF = {"x86_64": 321, "aarch64": 280}  # the number of bpf(2)
# Its commands that go through all there is of a kind.
_NEXT = {"program": 11, "map": 12, "link": 31}


class Leftovers:
    """Knows what has been there from the start: to be made before any command runs."""

    def __init__(self) -> None:
        """Look around."""
        self._mounts = set(_mounted())
        self._kept = {place: _inside(place) for place in (_PINS, _CONTROL_GROUPS)}
        self._objects = _objects()

    def clean(self, folder: bytes) -> "list[str]":
        """Remove a session's folder, and what was pinned, mounted or made a control group.

        Returns:
            What is still there, in words: only another boot gets rid of it.
        """
        tree.clear(folder)
        # Its parent too, if nothing else is in it; but never what a system has at its root.
        for path in (os.fsdecode(folder), os.path.dirname(os.fsdecode(folder))):
            if path.count("/") > 1:
                _remove(path)
        for place in reversed(self._new_mounts()):
            pid = os.posix_spawn("/bin/busybox", ["busybox", "umount", place], {})
            os.waitpid(pid, 0)
        for place, kept in self._kept.items():
            for path in _inside(place):
                if path not in kept:
                    _remove(path)
        deadline = time.monotonic() + _SETTLED
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return left

    def _new_mounts(self) -> "list[str]":
        return [place for number, place in _mounted().items() if number not in self._mounts]

    def _left(self) -> "list[str]":
        left = [f"a mount at {place}" for place in self._new_mounts()]
        if not self._mounts <= set(_mounted()):
            left.append("something that was mounted from the start is not")
        for place, kept in self._kept.items():
            left += [path for path in _inside(place) if path not in kept]
        for kind, numbers in _objects().items():
            known = self._objects[kind]
            left += [f"BPF {kind} {number}" for number in numbers if number not in known]
        return left


def _mounted() -> "dict[tuple[str, str], str]":
    """Return where something is mounted, by number and place, as numbers are given again."""
    with open("/proc/self/mountinfo") as file:
        fields = [line.split(" ") for line in file]
    return {(each[0], each[4]): each[4] for each in fields}


def _inside(place: str) -> "list[str]":
    """Return all folders below a place, and in a BPF file system all pins; deepest first."""
    found = []
    for parent, folders, files in os.walk(place, topdown=False):
        names = files if place == _PINS else []
        found += [f"{parent}/{name}" for name in (*names, *folders)]
    return found


def _remove(path: str) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError:
        pass  # it is still there, and will be reported


def _objects() -> "dict[str, list[int]]":
    """Return the numbers of all BPF objects that the kernel holds, by kind."""
    import ctypes  # noqa: PLC0415  (slow to import: it would delay the greeting)

    number = _BPF[os.uname().machine]
    call = ctypes.CDLL(None).syscall
    found: dict[str, list[int]] = {}
    for kind, command in _NEXT.items():
        found[kind] = []
        attributes = (ctypes.c_uint32 * 32)()
        while call(number, command, ctypes.byref(attributes), ctypes.sizeof(attributes)) == 0:
            found[kind].append(attributes[1])
            attributes = (ctypes.c_uint32 * 32)(attributes[1])
    return found

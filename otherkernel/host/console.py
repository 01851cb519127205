"""What the guest's kernel printed, and what it tells about the guest's end."""

import re

TAIL = 25  # lines shown with an error
_KEEP = 256 << 10  # bytes

_PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
_KILLED = re.compile(r"Killed process (\d+) \((.*?)\)")
_NO_MEMORY = re.compile(r"deadlocked on memory|out of memory", re.I)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc|[\r\x00]")
# What else does something to a terminal; anyone in the guest may write here.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_STAMP = re.compile(r"^\[ *\d+\.\d+\] ?", re.M)


class Console:
    """The first serial port's text; a few hundred kilobytes of it are kept."""

    def __init__(self) -> None:
        """Start empty."""
        self._data = b""
        self._mark = 0

    def feed(self, data: bytes) -> None:
        """Take in what was printed."""
        self._data += data
        cut = max(0, len(self._data) - _KEEP)
        self._data = self._data[cut:]
        self._mark = max(0, self._mark - cut)

    def mark(self) -> None:
        """Remembers this place, from which `killed` looks."""
        self._mark = len(self._data)

    @staticmethod
    def _text(data: bytes) -> str:
        return _UNSAFE.sub("\ufffd", _CONTROL.sub("", data.decode(errors="replace")))

    @property
    def text(self) -> str:
        """All that is kept, without control sequences."""
        return self._text(self._data)

    def tail(self) -> str:
        """Return the last lines, without control sequences; from a panic on if there was one."""
        lines = [line.rstrip() for line in self.text.splitlines() if line.strip()]
        for index, line in enumerate(lines):
            if _PANIC.search(line):
                return "\n".join(lines[max(0, index - 5) : index + TAIL])
        return "\n".join(lines[-TAIL:])

    def panic(self) -> str | None:
        """Return the reason of a panic, if there was one."""
        match = _PANIC.search(self.text)
        return match.group(1).strip() if match else None

    def panic_for_memory(self) -> bool:
        """Tells whether the panic was for want of memory."""
        return bool(_NO_MEMORY.search(self.panic() or ""))

    def killed(self) -> list[str]:
        """Return whom the out-of-memory killer ended since `mark`, as "name (process 12)"."""
        matches = _KILLED.finditer(self._text(self._data[self._mark :]))
        return [f"{match.group(2)} (process {match.group(1)})" for match in matches]

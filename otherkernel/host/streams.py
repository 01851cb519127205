"""Where a command's streams go, as `subprocess` takes it."""

import os
import select
import subprocess
from typing import IO, Any

Stream = int | IO[Any] | None

_PIECE = 64 << 10  # bytes of input in one message


class _Sink:
    """Where one of a command's output streams goes.

    Args:
        where: As in `subprocess`; None is this process's own stream.
        own: The descriptor of that.
    """

    def __init__(self, where: Stream, own: int) -> None:
        """Open it."""
        self.kept: list[bytes] | None = [] if where == subprocess.PIPE else None
        self._descriptor: int | None = None
        if where is None:
            self._descriptor = own
        elif isinstance(where, int):
            self._descriptor = where if where >= 0 else None
        else:
            self._descriptor = where.fileno()

    @property
    def is_terminal(self) -> bool:
        """Whether what is written here goes to a terminal."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, data: bytes) -> bool:
        """Pass on what the command wrote; False as soon as nobody reads that any more."""
        if self.kept is not None:
            self.kept.append(data)
        while data and self._descriptor is not None:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # whoever shares it with us wants it so
                select.select([], [self._descriptor], [])
            except BrokenPipeError:
                self._descriptor = None
                return False
        return True

    @property
    def data(self) -> bytes | None:
        """What was kept, or None if nothing was to be."""
        return None if self.kept is None else b"".join(self.kept)


class Streams:
    """A command's three streams on the host.

    Args:
        stdin: As in `subprocess`.
        given: The input, instead of that.
        stdout: As in `subprocess`.
        stderr: As in `subprocess`.
        decoding: Encoding and error handler of the results, or None for bytes.
    """

    def __init__(
        self,
        stdin: Stream,
        given: bytes | None,
        stdout: Stream,
        stderr: Stream,
        decoding: tuple[str, str] | None,
    ) -> None:
        """Works out where the streams go."""
        self.merge = stderr == subprocess.STDOUT
        self._given = given
        self._stdin = stdin
        self._out = _Sink(stdout, 1)
        self._error = _Sink(subprocess.DEVNULL if self.merge else stderr, 2)
        self._decoding = decoding

    @property
    def source(self) -> int | None:
        """The descriptor that input is read from; None where it is known beforehand."""
        if self._given is not None or self._stdin is None:
            return None
        if isinstance(self._stdin, int):
            return self._stdin if self._stdin >= 0 else None
        return self._stdin.fileno()

    def read(self) -> bytes:
        """Return the next piece of input, and at its end an empty one; may block at `source`."""
        if self.source is not None:
            return os.read(self.source, _PIECE)
        given = self._given or b""
        self._given = given[_PIECE:]
        return given[:_PIECE]

    @property
    def terminals(self) -> tuple[int, ...]:
        """Which of the output streams go to a terminal."""
        if self.merge:
            return (1, 2) if self._out.is_terminal else ()
        return tuple(n for n, s in ((1, self._out), (2, self._error)) if s.is_terminal)

    def write(self, error: bool, data: bytes) -> bool:
        """Pass on what the command wrote; False as soon as nobody reads that any more."""
        return (self._error if error else self._out).write(data)

    @property
    def raw(self) -> tuple[bytes | None, bytes | None]:
        """Output and error as bytes, if they were to be kept."""
        return self._out.data, None if self.merge else self._error.data

    @property
    def results(self) -> tuple[Any, Any]:
        """Output and error, if they were to be kept, as text if that was asked for."""
        out, error = self.raw
        return self._decode(out), self._decode(error)

    def _decode(self, data: bytes | None) -> Any:  # noqa: ANN401  (as of subprocess)
        if data is None or self._decoding is None:
            return data
        return data.decode(*self._decoding).replace("\r\n", "\n").replace("\r", "\n")

"""What stands for sudo in a session that has no privilege of its own: the caller's end.

Run as `python -IS shim.py SOCKET COMMAND...`. It hands the command and its own streams to
the process that has the privilege, and the signals it gets as well, and ends as the command ended.
"""

import marshal
import os
import signal
import socket
import struct
import sys

_NAMES = "HUP INT QUIT TERM USR1 USR2 ALRM CONT WINCH"
FORWARDED = tuple(getattr(signal, f"SIG{name}") for name in _NAMES.split())
LENGTH = struct.Struct("<I")
STATUS = struct.Struct("<i")


def main(place: str, words: "list[str]") -> int:
    """Hand over a command; return its exit status."""
    # Until somebody can be told of them; none of them may come between what is sent.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    # A stream that is closed leaves its number to the next descriptor, which none of ours may take.
    while os.open(os.devnull, os.O_RDWR) <= 2:  # noqa: PLR2004
        pass
    line = socket.socket(socket.AF_UNIX)
    # By way of its folder, as the name of a socket must be short.
    folder = os.open(os.path.dirname(place), os.O_PATH)
    line.connect(f"/proc/self/fd/{folder}/{os.path.basename(place)}")
    os.close(folder)
    try:
        path = os.getcwd()
    except FileNotFoundError:
        path = ""  # it was removed
    order = marshal.dumps((words, path, dict(os.environ)))
    here = os.open(".", os.O_PATH | os.O_DIRECTORY)
    socket.send_fds(line, [LENGTH.pack(len(order))], [0, 1, 2, here])
    line.sendall(order)
    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: line.send(bytes([number])))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    answer = line.recv(STATUS.size, socket.MSG_WAITALL)
    if len(answer) < STATUS.size:
        return 1  # the session is over
    (status,) = STATUS.unpack(answer)
    if status >= 0:
        return int(status)
    # Of a signal: the shell is to see the same.
    signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else 0
    os.kill(os.getpid(), -status)
    return 128 - int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

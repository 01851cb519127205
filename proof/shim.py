"""What stands for sudo in a session whose kernel is a virtual machine's: the caller's end.

Run as `python -IS shim.py SOCKET COMMAND...`. It hands the command, the directory, the environment
and its own streams to the process that owns the machine, and the signals it gets as well, and ends
as the command ended.
"""

import marshal
import os
import signal
import socket
import struct
import sys

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1)
LENGTH = struct.Struct("<I")
STATUS = struct.Struct("<i")


def main(place: str, words: "list[str]") -> int:
    """Hand over a command; return its exit status."""
    line = socket.socket(socket.AF_UNIX)
    # By way of its folder, as the name of a socket must be short.
    folder = os.open(os.path.dirname(place), os.O_PATH)
    line.connect(f"/proc/self/fd/{folder}/{os.path.basename(place)}")
    os.close(folder)
    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: line.send(bytes([number])))
    order = marshal.dumps((words, os.getcwd(), dict(os.environ)))
    socket.send_fds(line, [LENGTH.pack(len(order))], [0, 1, 2])
    line.sendall(order)
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

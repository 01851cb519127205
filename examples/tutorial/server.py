# SPDX-License-Identifier: 0BSD
"""A server and a client on this machine, and a BPF program between them."""

import contextlib
import socket

SO_ATTACH_BPF = 50  # Python's socket module has no name for it


def open_sockets(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    """Opens the server's socket and the client's, which is bound to a port of its own."""
    server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("127.0.0.1", 0))
    client.bind(("127.0.0.1", 0))
    client.connect(server.getsockname())
    return server, client


def send(server: socket.socket, client: socket.socket, count: int) -> int:
    """Sends some messages and returns how many the server receives."""
    for _ in range(count):
        client.send(b"hello")
    received = 0
    with contextlib.suppress(BlockingIOError):
        while server.recv(100, socket.MSG_DONTWAIT):
            received += 1
    return received

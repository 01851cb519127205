# SPDX-License-Identifier: 0BSD
import contextlib
import socket
import struct

import server as net

import userrb

with contextlib.ExitStack() as stack:
    server, client = net.open_sockets(stack)
    port = client.getsockname()[1]
    bpf = stack.enter_context(userrb.BpfObject("filter.bpf.o"))
    server.setsockopt(socket.SOL_SOCKET, net.SO_ATTACH_BPF, bpf.programs["filter"].fileno())
    ring = stack.enter_context(userrb.UserRingBuffer(bpf.maps["rules"]))

    for limit in (3, 0, 100):
        ring.write(struct.pack("=HH", port, limit))  # a struct rule
        print(f"limit {limit}: {net.send(server, client, 5)} of 5 arrive")

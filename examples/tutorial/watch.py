# SPDX-License-Identifier: 0BSD
import contextlib
import socket

import server as net

import userrb

with contextlib.ExitStack() as stack:
    server, client = net.open_sockets(stack)
    print("without a filter:", net.send(server, client, 5), "of 5 arrive")

    bpf = stack.enter_context(userrb.BpfObject("filter.bpf.o"))
    server.setsockopt(socket.SOL_SOCKET, net.SO_ATTACH_BPF, bpf.programs["filter"].fileno())
    print("with the filter: ", net.send(server, client, 5), "of 5 arrive")

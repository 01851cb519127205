# SPDX-License-Identifier: 0BSD
import ctypes
import itertools

import userrb

# libbpf's own functions for the kernel's ring buffer.
libbpf = ctypes.CDLL("libbpf.so.1")
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
libbpf.ring_buffer__new.argtypes = [ctypes.c_int, Callback, ctypes.c_void_p, ctypes.c_void_p]
libbpf.ring_buffer__new.restype = ctypes.c_void_p
libbpf.ring_buffer__poll.argtypes = [ctypes.c_void_p, ctypes.c_int]
libbpf.ring_buffer__consume.argtypes = [ctypes.c_void_p]
libbpf.ring_buffer__free.argtypes = [ctypes.c_void_p]

with userrb.BpfObject("serve.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["requests"]) as ring:
    ids = itertools.count(1)
    quiet = False

    def ask(account, amount):
        """Submits a request; returns False where there is no room for it."""
        request = bpf.structs["request"].pack(id=next(ids), account=account, amount=amount)
        try:
            ring.write(request)
        except userrb.RingFull:
            return False
        return True

    def serve():
        """Runs the BPF program once; returns how many requests it took."""
        return bpf.programs["serve"].test_run().retval

    @Callback
    def print_answer(context, data, size):
        """Called for each answer."""
        answer = bpf.structs["answer"].at(ctypes.string_at(data, size))
        if not quiet:
            print(f"answer {answer.id}: error {answer.error}, balance {answer.balance}")
        return 0

    answers = libbpf.ring_buffer__new(bpf.maps["answers"].fileno(), print_answer, None, None)

    print("-- three requests")
    ask(0, 50)
    ask(0, -8)
    ask(9, 1)
    print("requests taken:", serve())
    print("answers:", libbpf.ring_buffer__poll(answers, 1000))

    print("-- nobody reads the answers")
    quiet = True
    asked = 0
    for _ in range(2):
        while ask(1, 1):
            asked += 1
        print(f"asked: {asked}, requests taken: {serve()}")
    print(f"answers: {libbpf.ring_buffer__consume(answers)}", end=", ")
    print(f"requests taken: {serve()}", end=", ")
    print(f"answers: {libbpf.ring_buffer__consume(answers)}")

    libbpf.ring_buffer__free(answers)

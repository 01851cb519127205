# SPDX-License-Identifier: 0BSD
import struct
import time

import numpy as np

import userrb

COUNT = 100_000

with userrb.BpfObject("pack.bpf.o") as bpf, userrb.UserRingBuffer(bpf.maps["samples"]) as ring:
    record, pack = bpf.structs["record"], bpf.structs["pack"]
    print(f"record: {record.size} bytes, pack: {pack.size} bytes")

    def drain(program):
        """Returns what the BPF program answers in its context, and how long it ran."""
        start = time.perf_counter()
        answer = bpf.programs[program].test_run(ctx=bytes(24)).ctx
        return struct.unpack("=QQQ", answer), time.perf_counter() - start

    def fastest(program, samples):
        """Submits samples and drains them, five times; prints the answer."""
        times = []
        for _ in range(5):
            ring.submit_many(samples)
            answer, seconds = drain(program)
            times.append(seconds)
        print("{}: {} samples, {} records, sum {}".format(program, *answer))
        return min(times)

    records = np.zeros(COUNT, record.dtype)
    records["id"] = np.arange(COUNT)
    records["value"] = 7
    singly = fastest("drain_records", records)

    packs = np.zeros(COUNT // 500, pack.dtype)
    packs["count"] = 500
    packs["records"] = records.reshape(-1, 500)
    packed = fastest("drain_packs", packs)
    print("draining packs took less than a fifth:", "yes" if packed < singly / 5 else "no")

    with ring.reserve(pack.size) as sample:
        fields = pack.at(sample)
        fields.count = 2
        fields.records[0].value = 30
        fields.records[1].value = 12
    ring.write(b"too short")
    print("2 records, and a sample that is no pack:", drain("drain_packs")[0])

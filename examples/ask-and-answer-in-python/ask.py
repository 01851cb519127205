# SPDX-License-Identifier: 0BSD
import asyncio
import errno

import userrb

with (
    userrb.BpfObject(
        "roots.bpf.o",
        max_entries={"questions": 1 << 16, "answers": 1 << 16},
        globals={"largest": 1_000_000},
    ) as bpf,
    userrb.UserRingBuffer(bpf.maps["questions"]) as questions,
    userrb.RingBuffer(bpf.maps["answers"]) as answers,
):
    question, answer = bpf.structs["question"], bpf.structs["answer"]

    def serve():
        """Runs the BPF program, which answers all questions that wait."""
        return bpf.programs["serve"].test_run().retval

    print("-- one by one")
    for i, number in enumerate([49, 50, 2_000_000]):
        questions.write(question.pack(id=i, number=number))
    serve()
    for sample in answers.samples(timeout_ms=0):
        reply = answer.at(sample)
        if reply.error:
            print(f"answer {reply.id}: {errno.errorcode[-reply.error]}")
        else:
            print(f"answer {reply.id}: {reply.root}")

    print("-- many at once")
    records = b"".join(question.pack(id=i, number=i * i) for i in range(1000))
    questions.submit_many(records, size=question.size)
    serve()
    batch = answers.batch()
    right = sum(answer.unpack(sample)["root"] == i for i, sample in enumerate(batch))
    print(f"{len(batch)} answers, {right} of them right")

    print("-- tasks that ask")
    waiting = {}

    async def ask(number):
        """Asks, and waits for the answer to this question."""
        waiting[number] = asyncio.get_running_loop().create_future()
        await questions.write_async(question.pack(id=number, number=number))
        return await waiting[number]

    async def read_answers():
        """Hands each answer to the task that waits for it."""
        async for sample in answers:
            reply = answer.unpack(sample)
            waiting.pop(reply["id"]).set_result(reply["root"])

    async def main():
        """Runs three tasks that ask, and one that reads."""
        reader = asyncio.create_task(read_answers())
        tasks = [asyncio.create_task(ask(number)) for number in (100, 200, 300)]
        await asyncio.sleep(0)  # the tasks ask
        serve()
        print("roots:", await asyncio.gather(*tasks))
        reader.cancel()

    asyncio.run(main())

    print("-- what the program counted")
    print("questions taken:", bpf.globals["questions_taken"])
    for outcome, count in sorted(bpf.maps["outcomes"].items()):
        print(f"outcome {outcome}: {count}")

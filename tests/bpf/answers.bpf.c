// SPDX-License-Identifier: MIT
/* For test_consumer.py: fills a kernel ring buffer as its context says. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} small SEC(".maps");

struct answer {
	__u64 id;
	__u64 twice;
};

struct order {
	__u32 first, count;	/* ids of the answers */
	__u32 every;		/* each so many-th is discarded; 0 for none */
	__u32 flags;
};

static long answer(__u32 i, void *context)
{
	struct order *order = context;
	struct answer *answer = bpf_ringbuf_reserve(&answers, sizeof(*answer), 0);

	if (!answer)
		return 1;
	answer->id = order->first + i;
	answer->twice = 2 * answer->id;
	if (order->every && i % order->every == order->every - 1)
		bpf_ringbuf_discard(answer, order->flags);
	else
		bpf_ringbuf_submit(answer, order->flags);
	return 0;
}

SEC("syscall")
int fill(struct order *context)
{
	struct order order = *context;

	return bpf_loop(order.count, answer, &order, 0);
}

/* Texts of other lengths, and through the end of the ring. */
SEC("syscall")
int fill_small(struct order *context)
{
	char text[64] = "the quick brown fox jumps over the lazy dog";
	__u32 length = context->count & 63;

	return bpf_ringbuf_output(&small, text, length, context->flags);
}

/* Somewhere a task is born: answered from an event. */
SEC("raw_tp/task_newtask")
int on_fork(void *context)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32;

	bpf_ringbuf_output(&answers, &pid, sizeof(pid), 0);
	return 0;
}

const struct answer *answer_layout __attribute__((unused));

char LICENSE[] SEC("license") = "GPL";

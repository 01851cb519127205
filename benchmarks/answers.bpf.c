// SPDX-License-Identifier: MIT
/* Fills a kernel ring buffer with as many answers of 16 bytes as its context says. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} answers SEC(".maps");

struct answer {
	__u64 number, square;
};

static long answer(__u32 i, void *context)
{
	struct answer *answer = bpf_ringbuf_reserve(&answers, sizeof(*answer), 0);

	if (!answer)
		return 1;
	answer->number = i;
	answer->square = (__u64)i * i;
	bpf_ringbuf_submit(answer, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("syscall")
int fill(__u32 *count)
{
	return bpf_loop(*count, answer, NULL, 0);
}

const struct answer *answer_layout __attribute__((unused));

char LICENSE[] SEC("license") = "Dual MIT/GPL";

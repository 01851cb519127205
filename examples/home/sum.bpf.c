// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} numbers SEC(".maps");

static long add(struct bpf_dynptr *sample, void *total)
{
	__u32 number = 0;

	bpf_dynptr_read(&number, sizeof(number), sample, 0, 0);
	*(__u32 *)total += number;
	return 0;
}

SEC("syscall")
int sum(void *context)
{
	__u32 total = 0;

	bpf_user_ringbuf_drain(&numbers, add, &total, 0);
	return total;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

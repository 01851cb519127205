// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

/* Called for each sample. */
static long add(struct bpf_dynptr *sample, void *context)
{
	__u64 *sum = context, value;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0) == 0)
		*sum += value;
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	__u64 sum = 0;

	bpf_user_ringbuf_drain(&samples, add, &sum, 0);
	return sum;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct call {
	__u64 flags; /* to the program */
	__s64 returned; /* and back */
	__u64 sum;
};

static long take(struct bpf_dynptr *sample, void *context)
{
	__u64 *value = bpf_dynptr_data(sample, 0, sizeof(*value)); /* in place */
	__u64 *sum = context, stop;

	if (!value || bpf_dynptr_read(&stop, sizeof(stop), sample, 8, 0)) /* by copy */
		return 0; /* it has fewer than 16 bytes: skip it */
	*sum += *value;
	return stop != 0;
}

SEC("syscall")
int drain(struct call *call)
{
	__u64 sum = 0;

	call->returned = bpf_user_ringbuf_drain(&samples, take, &sum, call->flags);
	call->sum = sum;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

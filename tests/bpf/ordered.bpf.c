// SPDX-License-Identifier: MIT
/* Counts the samples of each producer, and those that come out of its order. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define PRODUCERS 8

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 16);
} samples SEC(".maps");

/* The count that is to come next, of each producer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PRODUCERS);
	__type(key, __u32);
	__type(value, __u64);
} next SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} wrong SEC(".maps");

static long check(struct bpf_dynptr *sample, void *context)
{
	__u32 zero = 0, producer;
	__u64 value, *count, *mistakes;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0))
		return 0;
	producer = value >> 32;
	count = bpf_map_lookup_elem(&next, &producer);
	mistakes = bpf_map_lookup_elem(&wrong, &zero);
	if (!mistakes)
		return 1;
	if (!count || *count != (__u32)value)
		*mistakes += 1;
	if (count)
		*count = (__u32)value + 1;
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, check, NULL, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

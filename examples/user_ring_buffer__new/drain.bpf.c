// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

static long count(struct bpf_dynptr *sample, void *context)
{
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, count, NULL, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

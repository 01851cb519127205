// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

static long skip_two(struct bpf_dynptr *sample, void *context)
{
	return 2; /* not allowed: 0 continues, 1 stops */
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, skip_two, NULL, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

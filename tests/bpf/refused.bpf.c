// SPDX-License-Identifier: MIT
/* Refused by the verifier: the callback may return 0 or 1. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

static long two(struct bpf_dynptr *sample, void *context)
{
	return 2;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, two, NULL, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

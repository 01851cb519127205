// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

static long go_on(struct bpf_dynptr *sample, void *context)
{
	return 0;
}

static long stop(struct bpf_dynptr *sample, void *context)
{
	return 1;
}

/* Drains while the ring is being drained, as another processor might. */
static long drain_again(struct bpf_dynptr *sample, void *context)
{
	*(int *)context = bpf_user_ringbuf_drain(&samples, go_on, NULL, 0);
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, go_on, NULL, 0);
}

SEC("syscall")
int drain_one(void *context)
{
	return bpf_user_ringbuf_drain(&samples, stop, NULL, 0);
}

SEC("syscall")
int drain_twice(void *context)
{
	int second = 0;

	bpf_user_ringbuf_drain(&samples, drain_again, &second, 0);
	return second;
}

SEC("syscall")
int drain_with_a_bad_flag(void *context)
{
	return bpf_user_ringbuf_drain(&samples, go_on, NULL, 1 << 5);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

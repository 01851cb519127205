// SPDX-License-Identifier: MIT
/* What the tests drain with: by flag, and with a digest that order and content decide. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 20);
} roomy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} other SEC(".maps");

static long count(struct bpf_dynptr *sample, void *context)
{
	return 0;
}

static long digest(struct bpf_dynptr *sample, void *context)
{
	__u32 *sum = context;
	__u64 value;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0) == 0)
		*sum = *sum * 31 + value;
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, count, NULL, 0);
}

SEC("syscall")
int drain_no_wakeup(void *context)
{
	return bpf_user_ringbuf_drain(&samples, count, NULL, BPF_RB_NO_WAKEUP);
}

SEC("syscall")
int drain_force_wakeup(void *context)
{
	return bpf_user_ringbuf_drain(&samples, count, NULL, BPF_RB_FORCE_WAKEUP);
}

SEC("syscall")
int drain_digest(void *context)
{
	__u32 sum = 0;

	bpf_user_ringbuf_drain(&samples, digest, &sum, 0);
	return sum;
}

SEC("syscall")
int drain_roomy(void *context)
{
	return bpf_user_ringbuf_drain(&roomy, count, NULL, 0);
}

SEC("syscall")
int drain_roomy_digest(void *context)
{
	__u32 sum = 0;

	bpf_user_ringbuf_drain(&roomy, digest, &sum, 0);
	return sum;
}

/* The length that the callback sees, of the last sample drained. */
static long length(struct bpf_dynptr *sample, void *context)
{
	__u32 *last = context, at;
	__u8 byte;

	*last = 0;
	for (at = 0; at < 256; at++)
		if (bpf_dynptr_read(&byte, 1, sample, at, 0) == 0)
			*last = at + 1;
	return 0;
}

SEC("syscall")
int drain_length(void *context)
{
	__u32 last = -1;

	bpf_user_ringbuf_drain(&samples, length, &last, 0);
	return last;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

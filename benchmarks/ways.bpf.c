// SPDX-License-Identifier: MIT
/* The kernel's side of ways.c: each program reads its messages, and adds them up for the check. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define RING_BYTES 262144
#define MESSAGES (RING_BYTES / 16) /* as many as the ring holds */

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__type(value, __u64);
	__uint(max_entries, MESSAGES);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, MESSAGES);
} hash SEC(".maps");

__u64 sum;

static long read_sample(struct bpf_dynptr *sample, void *context)
{
	__u64 *message = bpf_dynptr_data(sample, 0, sizeof(*message));

	if (message)
		*(__u64 *)context += *message;
	return 0;
}

SEC("syscall")
int drain_ring(void *context)
{
	__u64 total = 0;
	long drained = bpf_user_ringbuf_drain(&ring, read_sample, &total, 0);

	sum += total;
	return drained;
}

static long pop(__u32 number, __u64 *total)
{
	__u64 message;

	if (bpf_map_pop_elem(&queue, &message))
		return 1;
	*total += message;
	return 0;
}

/* Of another type than the rest: on Linux 6.1, a program that may sleep cannot use a queue. */
SEC("raw_tp")
int drain_queue(void *context)
{
	__u64 total = 0;
	long popped = bpf_loop(MESSAGES + 1, pop, &total, 0) - 1; /* the last one finds nothing */

	sum += total;
	return popped;
}

static long look_up(__u32 number, __u64 *total)
{
	__u64 *message = bpf_map_lookup_elem(&hash, &number);

	if (message)
		*total += *message;
	return 0;
}

SEC("syscall")
int read_hash(void *context)
{
	__u64 total = 0;
	long read = bpf_loop(MESSAGES, look_up, &total, 0);

	sum += total;
	return read;
}

SEC("syscall")
int take_one(__u64 *message)
{
	sum += *message;
	return 0;
}

SEC("socket")
int filter(struct __sk_buff *packet)
{
	__u64 message = 0;

	bpf_skb_load_bytes(packet, 0, &message, sizeof(message));
	sum += message;
	return 0; /* nobody else is to receive it */
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

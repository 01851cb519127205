// SPDX-License-Identifier: MIT
/* What the tests of libbpf's ring buffers and perf buffers send events with. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps"), others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} perf_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

SEC("syscall")
int send(__u64 *context)
{
	__u64 value = *context;

	return bpf_ringbuf_output(&events, &value, sizeof(value), 0);
}

SEC("syscall")
int send_other(__u64 *context)
{
	__u64 value = *context;

	return bpf_ringbuf_output(&others, &value, sizeof(value), 0);
}

SEC("syscall")
int send_silently(__u64 *context)
{
	__u64 value = *context;

	return bpf_ringbuf_output(&events, &value, sizeof(value), BPF_RB_NO_WAKEUP);
}

SEC("syscall")
int discard(void *context)
{
	void *event = bpf_ringbuf_reserve(&events, 8, 0);

	if (!event)
		return 1;
	bpf_ringbuf_discard(event, 0);
	return 0;
}

SEC("xdp")
int send_perf(struct xdp_md *packet)
{
	__u64 length = packet->data_end - packet->data;

	return bpf_perf_event_output(packet, &perf_events, BPF_F_CURRENT_CPU, &length,
				     sizeof(length));
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* One element a CPU: libbpf finds out how many there are. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

SEC("xdp")
int report(struct xdp_md *packet)
{
	__u64 length = packet->data_end - packet->data;

	bpf_perf_event_output(packet, &events, BPF_F_CURRENT_CPU, &length, sizeof(length));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

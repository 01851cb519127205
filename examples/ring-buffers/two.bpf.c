// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} small SEC(".maps"), large SEC(".maps");

SEC("xdp")
int report(struct xdp_md *packet)
{
	__u32 length = packet->data_end - packet->data;

	if (length < 500)
		bpf_ringbuf_output(&small, &length, sizeof(length), 0);
	else
		bpf_ringbuf_output(&large, &length, sizeof(length), 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

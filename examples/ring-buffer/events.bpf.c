// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int report(struct xdp_md *packet)
{
	__u32 *length = bpf_ringbuf_reserve(&events, sizeof(*length), 0);

	if (length) {
		*length = packet->data_end - packet->data;
		bpf_ringbuf_submit(length, 0);
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

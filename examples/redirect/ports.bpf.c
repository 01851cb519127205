// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

/* By the last byte of the receiver's address: the interface that the packet leaves by. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

SEC("xdp")
int forward(struct xdp_md *packet)
{
	struct ethhdr *header = (void *)(long)packet->data;

	if ((void *)(header + 1) > (void *)(long)packet->data_end)
		return XDP_DROP;
	/* Without such an element the result is the last argument. */
	return bpf_redirect_map(&ports, header->h_dest[ETH_ALEN - 1], XDP_PASS);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

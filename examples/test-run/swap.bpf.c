// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

/* Sends a packet back to where it came from. */
SEC("xdp")
int swap(struct xdp_md *packet)
{
	struct ethhdr *header = (void *)(long)packet->data;
	unsigned char sender[ETH_ALEN];

	if ((void *)(header + 1) > (void *)(long)packet->data_end)
		return XDP_DROP;
	__builtin_memcpy(sender, header->h_source, ETH_ALEN);
	__builtin_memcpy(header->h_source, header->h_dest, ETH_ALEN);
	__builtin_memcpy(header->h_dest, sender, ETH_ALEN);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

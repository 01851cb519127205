// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>

/* Makes 16 bits of a sum of 32: two halves, with what they carry. */
static __u16 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Changes the source of an IPv4 packet to 192.0.2.1, and corrects the checksum of its header. */
SEC("xdp")
int hide(struct xdp_md *packet)
{
	__u8 address[4] = { 192, 0, 2, 1 };
	struct ethhdr *frame = (void *)(long)packet->data;
	struct iphdr *header = (void *)(frame + 1);
	__be32 old, new;

	if ((void *)(header + 1) > (void *)(long)packet->data_end)
		return XDP_DROP;
	old = header->saddr;
	__builtin_memcpy(&new, address, sizeof(new));
	header->saddr = new;
	/* The sum of all words that are there now; the checksum is its inverse. */
	header->check = ~folded(bpf_csum_diff(&old, 4, &new, 4, (__u16)~header->check));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

__u32 at; /* where the kind stands: not a number that the verifier knows */
__u16 kind;

/* On its way through the kernel: a packet whose bytes may lie in several places. */
SEC("tc")
int of_skb(struct __sk_buff *packet)
{
	if (bpf_skb_load_bytes(packet, at, &kind, sizeof(kind)))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* Before the kernel has touched it. */
SEC("xdp")
int of_xdp(struct xdp_md *packet)
{
	if (bpf_xdp_load_bytes(packet, at, &kind, sizeof(kind)))
		return XDP_DROP;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

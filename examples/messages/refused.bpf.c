// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Reads a byte without asking whether the packet has it:
 * no verifier accepts that. */
SEC("xdp")
int refused(struct xdp_md *packet)
{
	unsigned char *first = (void *)(long)packet->data;

	return *first ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

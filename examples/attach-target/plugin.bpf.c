// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Takes the place of verdict() in
 * filter.bpf.c. */
SEC("freplace")
int plugin(struct xdp_md *packet)
{
	__u32 length = packet->data_end - packet->data;

	return length <= 20 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

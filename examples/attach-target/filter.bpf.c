// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int verdict(struct xdp_md *packet)
{
	return packet->data ? XDP_PASS : XDP_ABORTED;
}

SEC("xdp")
int filter(struct xdp_md *packet)
{
	return verdict(packet);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

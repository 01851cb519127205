// SPDX-License-Identifier: MIT
/* What helpers for packets return; the packet has 20 bytes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

unsigned char bytes[8] = "........";
long returned;
__u32 at = 13, words[4] = { 1, 2, 3, 4 };

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

SEC("tc")
int skb_beyond(struct __sk_buff *packet)
{
	returned = bpf_skb_load_bytes(packet, at, bytes, 8);
	return 0;
}

SEC("tc")
int skb_within(struct __sk_buff *packet)
{
	returned = bpf_skb_load_bytes(packet, at - 1, bytes, 8);
	return 0;
}

SEC("xdp")
int xdp_beyond(struct xdp_md *packet)
{
	returned = bpf_xdp_load_bytes(packet, at, bytes, 8);
	return 0;
}

SEC("xdp")
int xdp_within(struct xdp_md *packet)
{
	returned = bpf_xdp_load_bytes(packet, at - 1, bytes, 8);
	return 0;
}

SEC("xdp")
int xdp_far(struct xdp_md *packet)
{
	returned = bpf_xdp_load_bytes(packet, 0x10000, bytes, 8);
	return 0;
}

SEC("xdp")
int sum(struct xdp_md *packet)
{
	returned = bpf_csum_diff(NULL, 0, words, sizeof(words), 0);
	return 0;
}

SEC("xdp")
int sum_without(struct xdp_md *packet)
{
	returned = bpf_csum_diff(words, 4, words, sizeof(words), 0);
	return 0;
}

SEC("xdp")
int redirect_flags(struct xdp_md *packet)
{
	return bpf_redirect_map(&ports, 0, 1 << 20);
}

SEC("xdp")
int redirect_nowhere(struct xdp_md *packet)
{
	return bpf_redirect_map(&ports, 3, XDP_TX);
}

SEC("xdp")
int redirect_beyond(struct xdp_md *packet)
{
	return bpf_redirect_map(&ports, 99, XDP_TX);
}

char LICENSE[] SEC("license") = "GPL";

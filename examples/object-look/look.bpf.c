// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, __u32);
	__type(value, __u16);
} ports SEC(".maps");

SEC("xdp")
int drop(struct xdp_md *packet)
{
	return XDP_DROP;
}

SEC("socket")
int keep(struct __sk_buff *packet)
{
	return packet->len;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

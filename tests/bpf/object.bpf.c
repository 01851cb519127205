// SPDX-License-Identifier: MIT
/* An object to look around in: programs of several types, maps, global data. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10);
	__type(key, __u32);
	__type(value, __u64);
} a_map_with_quite_a_long_name SEC(".maps");

int answer = 42;

static __noinline int part(int value)
{
	return value + answer;
}

SEC("xdp")
int count(struct xdp_md *packet)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&numbers, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
	return part(packet->ingress_ifindex) ? XDP_PASS : XDP_DROP;
}

SEC("socket")
int a_program_with_quite_a_long_name(struct __sk_buff *packet)
{
	return part(packet->len);
}

SEC("?xdp")
int optional(struct xdp_md *packet)
{
	return XDP_PASS;
}

SEC("?xdp")
int refused(struct xdp_md *packet)
{
	return *(__u8 *)(long)packet->data; /* without a check of data_end */
}

SEC("mine")
int untyped(void *context)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

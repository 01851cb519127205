// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 smallest = 0; /* user space may change it before the load */
__u64 bytes;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

SEC("xdp")
int count(struct xdp_md *packet)
{
	__u32 length = packet->data_end - packet->data, key = 0;
	__u64 *value = bpf_map_lookup_elem(&packets, &key);

	if (length < smallest || !value)
		return XDP_DROP;
	__sync_fetch_and_add(value, 1);
	__sync_fetch_and_add(&bytes, length);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

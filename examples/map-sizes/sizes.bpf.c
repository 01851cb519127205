// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} verdicts SEC(".maps");

/* Does with a packet what the map says for its length. */
SEC("xdp")
int check(struct xdp_md *packet)
{
	__u32 length = packet->data_end - packet->data;
	__u32 *verdict = bpf_map_lookup_elem(&verdicts, &length);

	return verdict ? *verdict : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct address {
	__u8 bytes[6];
	__u16 port;
};

struct session {
	struct address from, to;
	__u32 packets;
	__u64 size;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, struct address);
	__type(value, struct session);
} sessions SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";

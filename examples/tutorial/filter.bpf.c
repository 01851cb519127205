// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct rule { /* what a sample holds */
	__u16 port;
	__u16 limit; /* packets that may still pass */
};

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u16); /* port */
	__type(value, __u64); /* packets that may still pass */
	__uint(max_entries, 64);
} limits SEC(".maps");

/* Called for each sample. */
static long set_limit(struct bpf_dynptr *sample, void *context)
{
	struct rule rule;
	__u64 left;

	if (bpf_dynptr_read(&rule, sizeof(rule), sample, 0, 0))
		return 0; /* too short for a rule */
	left = rule.limit;
	bpf_map_update_elem(&limits, &rule.port, &left, BPF_ANY);
	return 0;
}

/* Called for each packet that the socket receives. */
SEC("socket")
int filter(struct __sk_buff *packet)
{
	__u16 port;
	__u64 *left;

	bpf_user_ringbuf_drain(&rules, set_limit, 0, BPF_RB_NO_WAKEUP);
	if (bpf_skb_load_bytes(packet, 0, &port, sizeof(port))) /* of the sender, first in UDP */
		return 0;
	port = bpf_ntohs(port);
	left = bpf_map_lookup_elem(&limits, &port);
	if (!left)
		return packet->len; /* no rule: pass */
	if (*left == 0)
		return 0; /* drop */
	__sync_fetch_and_sub(left, 1);
	return packet->len;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

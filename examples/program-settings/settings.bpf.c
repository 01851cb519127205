// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* libbpf does not know this section. 2 means to keep the packet and to report congestion. */
SEC("mine")
int slow_down(struct __sk_buff *packet)
{
	return 2;
}

/* No kernel has this tracepoint. */
SEC("tp_btf/no_such_event")
int trace(void *context)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// SPDX-License-Identifier: MIT
/* A program that libbpf does not load unless it is told to, and one that takes a packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("?syscall")
int sometimes(void *context)
{
	return 0;
}

SEC("syscall")
int always(void *context)
{
	return 0;
}

SEC("tc")
int mark(struct __sk_buff *packet)
{
	packet->mark++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

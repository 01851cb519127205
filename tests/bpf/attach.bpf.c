// SPDX-License-Identifier: MIT
/* For test_attach.py: programs whose section names no target; each counts its events. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 forks, raw_forks, exits, received, arrived, left, egressed;

SEC("tp")
int on_fork(void *context)
{
	__sync_fetch_and_add(&forks, 1);
	return 0;
}

SEC("tp/sched/sched_process_fork")
int on_named_fork(void *context)
{
	__sync_fetch_and_add(&forks, 1);
	return 0;
}

SEC("kprobe/do_exit")
int on_named_exit(void *context)
{
	__sync_fetch_and_add(&exits, 1);
	return 0;
}

SEC("raw_tp")
int on_fork_raw(void *context)
{
	__sync_fetch_and_add(&raw_forks, 1);
	return 0;
}

SEC("kprobe")
int on_exit(void *context)
{
	__sync_fetch_and_add(&exits, 1);
	return 0;
}

SEC("xdp")
int on_frame(struct xdp_md *context)
{
	__sync_fetch_and_add(&received, 1);
	return XDP_PASS;
}

SEC("tc")
int on_arrival(struct __sk_buff *context)
{
	__sync_fetch_and_add(&arrived, 1);
	return -1; /* the next program decides */
}

SEC("tc")
int on_leaving(struct __sk_buff *context)
{
	__sync_fetch_and_add(&left, 1);
	return -1;
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *context)
{
	__sync_fetch_and_add(&egressed, 1);
	return 1;
}

SEC("syscall")
int nothing(void *context)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

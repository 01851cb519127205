// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} total SEC(".maps");

__u32 producer; /* id of the process whose children the program looks at */

static long add(struct bpf_dynptr *sample, void *context)
{
	__u64 *sum = context, value;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0) == 0)
		*sum += value;
	return 0;
}

/* Runs in the kernel whenever a process or thread is created. */
SEC("raw_tp/task_newtask")
int on_new_task(void *context)
{
	__u32 key = 0;
	__u64 sum = 0, *kept = bpf_map_lookup_elem(&total, &key);

	if (kept && bpf_get_current_pid_tgid() >> 32 == producer) {
		bpf_user_ringbuf_drain(&samples, add, &sum, 0);
		*kept += sum;
	}
	return 0;
}

SEC("syscall")
int watch_me(void *context)
{
	producer = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

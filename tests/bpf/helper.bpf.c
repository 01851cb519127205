// SPDX-License-Identifier: MIT
/* What test_drain.py asks of bpf_user_ringbuf_drain: any flags, callbacks that stop, write, nest. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 21);
} samples SEC(".maps");

struct call {
	__u64 flags; /* to the program */
	__s64 returned; /* and back: what the helper returned */
	__s64 answer; /* and what the callback found */
};

static long count(struct bpf_dynptr *sample, void *context)
{
	__s64 *calls = context;

	if (calls)
		++*calls;
	return 0;
}

SEC("syscall")
int drain(struct call *call)
{
	__s64 calls = 0;

	call->returned = bpf_user_ringbuf_drain(&samples, count, &calls, call->flags);
	call->answer = calls;
	return 0;
}

static long stop(struct bpf_dynptr *sample, void *context)
{
	return 1;
}

SEC("syscall")
int drain_one(struct call *call)
{
	call->returned = bpf_user_ringbuf_drain(&samples, stop, NULL, call->flags);
	return 0;
}

static long nested(struct bpf_dynptr *sample, void *context)
{
	__s64 *answer = context;

	*answer = bpf_user_ringbuf_drain(&samples, stop, NULL, 0);
	return 0;
}

SEC("syscall")
int drain_nested(struct call *call)
{
	__s64 answer = 0;

	call->returned = bpf_user_ringbuf_drain(&samples, nested, &answer, call->flags);
	call->answer = answer;
	return 0;
}

/* Reads 8 bytes by copy and adds 1 to them in place. */
static long increment(struct bpf_dynptr *sample, void *context)
{
	__s64 *answer = context, *value = bpf_dynptr_data(sample, 0, sizeof(*value));

	if (value) {
		bpf_dynptr_read(answer, sizeof(*answer), sample, 0, 0);
		*value = *answer + 1;
	}
	return 0;
}

SEC("syscall")
int drain_increment(struct call *call)
{
	__s64 answer = -1;

	call->returned = bpf_user_ringbuf_drain(&samples, increment, &answer, call->flags);
	call->answer = answer;
	return 0;
}

/* Asks for 8 bytes both ways, wherever the sample ends. */
static long both(struct bpf_dynptr *sample, void *context)
{
	__s64 *answer = context, value;

	*answer = bpf_dynptr_read(&value, sizeof(value), sample, 0, 0);
	if (bpf_dynptr_data(sample, 0, sizeof(value)))
		*answer += 1000;
	return 0;
}

SEC("syscall")
int drain_both(struct call *call)
{
	__s64 answer = -1;

	call->returned = bpf_user_ringbuf_drain(&samples, both, &answer, call->flags);
	call->answer = answer;
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

__u32 counted;

/* Counts the system calls of the thread that ran count_me. */
SEC("raw_tp/sys_enter")
int on_system_call(void *context)
{
	const __u32 zero = 0;
	__u64 *number = bpf_map_lookup_elem(&calls, &zero);

	if (number && (__u32)bpf_get_current_pid_tgid() == counted)
		++*number;
	return 0;
}

SEC("syscall")
int count_me(void *context)
{
	counted = bpf_get_current_pid_tgid();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

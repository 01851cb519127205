// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct answer {
	__s32 returned;
	__u32 digits;
};

static long note(struct bpf_dynptr *sample, void *context)
{
	__u32 *digits = context, value;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0) == 0)
		*digits = *digits * 10 + value;
	return 0;
}

SEC("syscall")
int drain(struct answer *answer)
{
	__u32 digits = 0;

	answer->returned = bpf_user_ringbuf_drain(&samples, note, &digits, 0);
	answer->digits = digits;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

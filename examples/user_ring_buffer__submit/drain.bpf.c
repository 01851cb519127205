// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

/* Notes the values in the order in which they come: 1, 2, 3 make 123. */
static long note(struct bpf_dynptr *sample, void *context)
{
	__u32 *digits = context, value;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0) == 0)
		*digits = *digits * 10 + value;
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	__u32 digits = 0;

	bpf_user_ringbuf_drain(&samples, note, &digits, 0);
	return digits;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

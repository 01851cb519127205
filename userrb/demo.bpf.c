// SPDX-License-Identifier: MIT
/* What `python -m userrb demo` runs in the kernel: it takes the samples and looks at their numbers.
 *
 * demo.bpf.o beside this file is made from it, by `make object`, for little-endian machines. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

/* The number that the next sample has to carry; it stays from one drain to the next. */
static __u64 expected = 1;
/* A counter on the stack would be known to the verifier, which would then follow every iteration. */
static __u64 wrong;

static long look(struct bpf_dynptr *sample, void *context)
{
	__u64 number = 0;

	if (bpf_dynptr_read(&number, sizeof(number), sample, 0, 0) || number != expected)
		wrong++;
	expected = number + 1;
	return 0;
}

/* Returns how many samples it took; -1 if one was ever missing, came twice, or out of order. */
SEC("syscall")
int drain(void *context)
{
	long taken = bpf_user_ringbuf_drain(&samples, look, NULL, 0);

	return wrong ? -1 : taken;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

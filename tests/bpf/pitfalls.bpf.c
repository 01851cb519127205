// SPDX-License-Identifier: MIT
/* For test_pitfalls.py: a ring that holds more samples than one drain takes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 22);
} samples SEC(".maps");

static long take(struct bpf_dynptr *sample, void *context)
{
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, take, NULL, 0);
}

/* As docs/guides/pitfalls/order.md advises: until a call takes less than the most it can. */
SEC("syscall")
int drain_all(void *context)
{
	long taken, total = 0;
	int i;

	for (i = 0; i < 8; i++) {
		taken = bpf_user_ringbuf_drain(&samples, take, NULL, 0);
		if (taken < 0)
			return taken;
		total += taken;
		if (taken < 131072)
			break;
	}
	return total;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

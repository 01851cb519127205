// SPDX-License-Identifier: MIT
/* The kernel's side of every measurement: it reads what it drains, and adds it up for the check. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, RING_BYTES);
} samples SEC(".maps");

__u64 sum;

struct total {
	__u64 records, sum;
};

/* One record a sample. Of a longer record the first word is read. */
static long read_one(struct bpf_dynptr *sample, void *context)
{
	__u64 *record = bpf_dynptr_data(sample, 0, sizeof(*record));
	struct total *total = context;

	if (record) {
		total->sum += *record;
		total->records++;
	}
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	struct total total = {};

	bpf_user_ringbuf_drain(&samples, read_one, &total, 0);
	sum += total.sum;
	return total.records;
}

/* PACKED records a sample, all of them read. */
static long read_packed(struct bpf_dynptr *sample, void *context)
{
	__u64 *records = bpf_dynptr_data(sample, 0, PACKED * sizeof(*records));
	struct total *total = context;
	__u64 packed = 0;

	if (!records)
		return 0;
	for (int i = 0; i < PACKED; i++)
		packed += records[i];
	total->sum += packed;
	total->records += PACKED;
	return 0;
}

SEC("syscall")
int drain_packed(void *context)
{
	struct total total = {};

	bpf_user_ringbuf_drain(&samples, read_packed, &total, 0);
	sum += total.sum;
	return total.records;
}

/* The sum of all records drained since the last call, modulo 2^32. */
SEC("syscall")
int take_sum(void *context)
{
	__u32 taken = sum;

	sum = 0;
	return taken;
}

struct stamp {
	__u64 ns;
};

/* The callback is the last that runs before the drain frees the sample's room. */
static long stamp_it(struct bpf_dynptr *sample, void *context)
{
	*(__u64 *)context = bpf_ktime_get_ns();
	return 0;
}

/* Drains, and tells when, on CLOCK_MONOTONIC. */
SEC("syscall")
int drain_stamped(struct stamp *stamp)
{
	__u64 ns = 0;
	long drained = bpf_user_ringbuf_drain(&samples, stamp_it, &ns, 0);

	stamp->ns = ns;
	return drained;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// SPDX-License-Identifier: MIT
/* For test_batching_and_packing.py: what loops over the records of a sample the verifier takes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef COUNT
#define COUNT 500
#endif

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 8 << 20);
} samples SEC(".maps");

struct pack {
	__u32 count;
	__u32 values[COUNT];
};

#ifdef LOOP
struct state {
	struct pack *pack;
	__u64 sum;
};

static long add(__u32 i, void *context)
{
	struct state *state = context;

	if (i >= COUNT)
		return 1;
	state->sum += state->pack->values[i];
	return 0;
}
#endif

static long read_pack(struct bpf_dynptr *sample, void *context)
{
	__u64 *sum = context;
#ifdef UNKNOWN_LENGTH
	__u32 count;
	struct pack *pack;

	if (bpf_dynptr_read(&count, sizeof(count), sample, 0, 0))
		return 0;
	pack = bpf_dynptr_data(sample, 0, count & 1023);
#else
	struct pack *pack = bpf_dynptr_data(sample, 0, sizeof(*pack));
#endif

	if (!pack)
		return 0;
#ifdef LOOP
	struct state state = { .pack = pack };

	bpf_loop(pack->count, add, &state, 0);
	*sum += state.sum;
#elif defined(UNBOUNDED)
	for (__u32 i = 0; i < pack->count; i++)
		*sum += pack->values[i];
#else
	for (__u32 i = 0; i < COUNT && i < pack->count; i++)
		*sum += pack->values[i];
#endif
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	__u64 sum = 0;

	bpf_user_ringbuf_drain(&samples, read_pack, &sum, 0);
	return sum;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

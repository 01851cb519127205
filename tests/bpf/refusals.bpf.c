// SPDX-License-Identifier: MIT
/* What the verifier refuses, and its nearest relatives that it accepts: one case at a time. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

static long callback(struct bpf_dynptr *sample, void *context)
{
#if defined(RETURNS_TWO)
	return 2;
#elif defined(RETURNS_MINUS_ONE)
	return -1;
#elif defined(RETURNS_ANYTHING)
	return bpf_get_prandom_u32();
#elif defined(RETURNS_ONE)
	return 1;
#elif defined(WRITES_DYNPTR)
	*(volatile __u64 *)sample = 0;
#elif defined(READS_DYNPTR)
	return *(volatile __u64 *)sample & 1;
#elif defined(MOVES_DYNPTR)
	__u64 value;

	bpf_dynptr_read(&value, sizeof(value), sample + 1, 0, 0);
#elif defined(WRITES_SAMPLE)
	__u64 value = 0;

	bpf_dynptr_write(sample, 0, &value, sizeof(value), 0);
#elif defined(SUBMITS)
	bpf_ringbuf_submit_dynptr(sample, 0);
#elif defined(DISCARDS)
	bpf_ringbuf_discard_dynptr(sample, 0);
#elif defined(INITIALISES)
	bpf_ringbuf_reserve_dynptr(&answers, 8, 0, sample);
#elif defined(PAST_THE_DATA)
	__u64 *value = bpf_dynptr_data(sample, 0, 8);

	if (value)
		return value[1] & 1;
#elif defined(UNCHECKED_DATA)
	return *(__u64 *)bpf_dynptr_data(sample, 0, 8) & 1;
#elif defined(VARIABLE_LENGTH)
	return bpf_dynptr_data(sample, 0, bpf_get_prandom_u32() & 7) != NULL;
#elif defined(READS_CONTEXT)
	return *(volatile __u64 *)context & 1;
#endif
	return 0;
}

SEC("syscall")
int program(void *context)
{
	__u32 key = 0;
#if defined(CONTEXT_IN_A_MAP)
	__u64 *value = bpf_map_lookup_elem(&array, &key);

	return value ? bpf_user_ringbuf_drain(&samples, callback, value, 0) : 0;
#elif defined(LOOKS_UP)
	return bpf_map_lookup_elem(&samples, &key) != NULL;
#elif defined(OUTPUTS)
	return bpf_ringbuf_output(&samples, &key, sizeof(key), 0);
#elif defined(DRAINS_A_RINGBUF)
	return bpf_user_ringbuf_drain(&answers, callback, NULL, 0);
#elif defined(DRAINS_AN_ARRAY)
	return bpf_user_ringbuf_drain(&array, callback, NULL, 0);
#else
	return bpf_user_ringbuf_drain(&samples, callback, NULL, 0);
#endif
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

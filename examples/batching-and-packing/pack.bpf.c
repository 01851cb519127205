// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4 << 20);
} samples SEC(".maps");

struct record {
	__u32 id;
	__u64 value;
};

struct pack {
	__u32 count;
	struct record records[500];
};

/* Puts the layouts into the object, where Python finds them. */
const struct pack *pack_layout __attribute__((unused));

struct answer {
	__u64 samples, records, sum;
};

static long one_record(struct bpf_dynptr *sample, void *context)
{
	struct record *record = bpf_dynptr_data(sample, 0, sizeof(*record));
	struct answer *answer = context;

	answer->samples++;
	if (!record)
		return 0; /* shorter than a record */
	answer->records++;
	answer->sum += record->value;
	return 0;
}

static long many_records(struct bpf_dynptr *sample, void *context)
{
	struct pack *pack = bpf_dynptr_data(sample, 0, sizeof(*pack));
	struct answer *answer = context;

	answer->samples++;
	if (!pack)
		return 0; /* shorter than a pack */
	/* The first condition is for the verifier: user space could have written any count. */
	for (__u32 i = 0; i < 500 && i < pack->count; i++) {
		answer->records++;
		answer->sum += pack->records[i].value;
	}
	return 0;
}

SEC("syscall")
int drain_records(struct answer *context)
{
	struct answer answer = {};

	bpf_user_ringbuf_drain(&samples, one_record, &answer, 0);
	*context = answer;
	return 0;
}

SEC("syscall")
int drain_packs(struct answer *context)
{
	struct answer answer = {};

	bpf_user_ringbuf_drain(&samples, many_records, &answer, 0);
	*context = answer;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

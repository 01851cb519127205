// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct seq_file;

/* Of the kernel's types only the fields that are read. */
struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key, *value;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} squares SEC(".maps");

SEC("iter/bpf_map_elem")
int as_text(struct bpf_iter__bpf_map_elem *context)
{
	static const char format[] = "%u has %llu\n";
	__u32 *key = context->key;
	__u64 *value = context->value, values[2];

	if (!key || !value)
		return 0; /* called once more, after the last element */
	values[0] = *key;
	values[1] = *value;
	bpf_seq_printf(context->meta->seq, format, sizeof(format), values, sizeof(values));
	return 0;
}

SEC("iter/bpf_map_elem")
int as_numbers(struct bpf_iter__bpf_map_elem *context)
{
	__u64 *value = context->value;

	if (value && *value > 1)
		bpf_seq_write(context->meta->seq, value, sizeof(*value));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

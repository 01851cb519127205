// SPDX-License-Identifier: MIT
/* Iterators, and a program that is none. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key, *value;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, char[4096]);
} pages SEC(".maps");

long written, fits, formatted;

SEC("iter/bpf_map_elem")
int keys(struct bpf_iter__bpf_map_elem *context)
{
	void *key = context->key;

	if (key)
		bpf_seq_write(context->meta->seq, key, 4);
	return 0;
}

SEC("iter/bpf_map_elem")
int too_much(struct bpf_iter__bpf_map_elem *context)
{
	void *value = context->value;

	if (!value)
		return 0;
	fits = 0;
	for (int i = 0; i < 16; i++) {
		written = bpf_seq_write(context->meta->seq, value, 4096);
		if (written)
			break;
		fits++;
	}
	return 0;
}

SEC("iter/bpf_map_elem")
int wrong_format(struct bpf_iter__bpf_map_elem *context)
{
	static const char format[] = "%d %d\n";
	__u64 value = 1;

	if (context->key)
		formatted = bpf_seq_printf(context->meta->seq, format, sizeof(format), &value,
					   sizeof(value));
	return 0;
}

SEC("iter/bpf_map_elem")
int too_long(struct bpf_iter__bpf_map_elem *context)
{
	static const char format[] = "%4000d%4000d%4000d%4000d%4000d%4000d%4000d%4000d%4000d";
	__u64 values[9] = {};

	if (context->key)
		formatted = bpf_seq_printf(context->meta->seq, format, sizeof(format), values,
					   sizeof(values));
	return 0;
}

SEC("xdp")
int other(struct xdp_md *packet)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: MIT
/* For test_maps.py and test_globals.py: maps of every kind, and variables in every section. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct place {
	__u16 x;
	__u32 y;
};

struct found {
	__s64 count;
	char name[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct place);
	__type(value, struct found);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __s64);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u32);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} each_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, struct place);
} hash_each_cpu SEC(".maps");

/* Without BTF for its key and value. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__uint(key_size, 3);
	__uint(value_size, 5);
} untyped SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, char[8]);
	__type(value, __u32[2]);
} words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, __u32);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/* const: .rodata; with a value: .data; without: .bss. */
const volatile __u32 limit = 3;
const volatile char label[8] = "none";
const volatile struct place origin = {};
__s64 offset_ = -1;
static volatile __u16 hidden = 9;
__u64 counter;
struct place here;
__u32 table[2][2];
_Bool on;

SEC("syscall")
int sum(void *context)
{
	counter += limit + offset_ + origin.x + origin.y + label[0] + hidden + here.y +
		   table[1][0] + on;
	return counter;
}

SEC("syscall")
int count_each_cpu(void *context)
{
	__u32 one = 1, *value = bpf_map_lookup_elem(&each_cpu, &one);

	if (value)
		*value += 1;
	return bpf_get_smp_processor_id();
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

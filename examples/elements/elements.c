// SPDX-License-Identifier: 0BSD
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>

static int told(const char *what, int err)
{
	printf("%s: %s\n", what, err ? strerror(-err) : "done");
	return err;
}

int main(void)
{
	__u32 key, keys[8], batch, count = 8;
	__u64 value, values[8], sum = 0;
	int map = bpf_map_create(BPF_MAP_TYPE_HASH, "squares", sizeof(key), sizeof(value), 8, NULL);

	if (map < 0)
		return told("create a map", map);
	for (key = 1; key <= 4; key++) {
		value = key * key;
		if (bpf_map_update_elem(map, &key, &value, BPF_ANY))
			return told("set an element", -errno);
	}

	key = 4;
	told("add 4 again", bpf_map_update_elem(map, &key, &value, BPF_NOEXIST));
	if (!bpf_map_lookup_elem(map, &key, &value))
		printf("4 has %llu\n", value);
	told("delete 4", bpf_map_delete_elem(map, &key));
	told("look up 4", bpf_map_lookup_elem(map, &key, &value));

	/* The keys of a hash map come in no order. */
	for (int err = bpf_map_get_next_key(map, NULL, &key); !err;
	     err = bpf_map_get_next_key(map, &key, &key)) {
		if (!bpf_map_lookup_elem(map, &key, &value))
			sum += value;
	}
	printf("key by key, the sum is %llu\n", sum);

	sum = 0;
	if (bpf_map_lookup_batch(map, NULL, &batch, keys, values, &count, NULL) != -ENOENT)
		return told("look up all", -errno);
	for (__u32 i = 0; i < count; i++)
		sum += values[i];
	printf("all %u at once, the sum is %llu\n", count, sum);
	return 0;
}

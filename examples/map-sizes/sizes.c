// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

struct rule { /* the BPF program reads the verdict; the rest is for us */
	__u32 verdict;
	char reason[28];
};

int main(void)
{
	struct rule drop = {XDP_DROP, "too short"}, send_back = {XDP_TX, "for a test"}, found;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);
	struct bpf_object *object = bpf_object__open_file("sizes.bpf.o", NULL);
	struct bpf_map *map;
	__u32 key = 20, other = 60;
	int fd, err;

	if (!object)
		return 1;
	map = bpf_object__find_map_by_name(object, "verdicts");
	if (!map || bpf_map__set_max_entries(map, 2) ||
	    bpf_map__set_value_size(map, sizeof(struct rule)) || bpf_object__load(object))
		return 1;
	err = bpf_map__set_max_entries(map, 1000);
	printf("after the load: %s\n", strerrorname_np(-err));

	fd = bpf_map__fd(map);
	if (bpf_map_update_elem(fd, &key, &drop, BPF_ANY) ||
	    bpf_map_update_elem(fd, &other, &send_back, BPF_ANY))
		return 1;
	if (bpf_prog_test_run_opts(bpf_program__fd(bpf_object__next_program(object, NULL)), &run) ||
	    bpf_map_lookup_elem(fd, &key, &found))
		return 1;
	printf("%s: %s\n", run.retval == XDP_DROP ? "dropped" : "passed", found.reason);
	key = 61;
	err = bpf_map_update_elem(fd, &key, &drop, BPF_ANY);
	printf("a third element: %s\n", strerrorname_np(-err));

	bpf_object__close(object);
	return 0;
}

// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20,
		    .repeat = 5);
	struct bpf_object *object = bpf_object__open_file("count.bpf.o", NULL);
	struct bpf_program *program;
	struct bpf_map *map;
	__u32 key = 0;
	__u64 value;
	int err;

	if (!object)
		return 1;
	program = bpf_object__find_program_by_name(object, "count");
	map = bpf_object__find_map_by_name(object, "packets");
	if (!program || !map)
		return 1;
	printf("before the load: program %d, map %d\n", bpf_program__fd(program), bpf_map__fd(map));

	err = bpf_object__load(object);
	if (err) {
		fprintf(stderr, "cannot load: %s\n", strerror(-err));
		return 1;
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &run) ||
	    bpf_map_lookup_elem(bpf_map__fd(map), &key, &value))
		return 1;
	printf("packets: %llu\n", value);

	if (bpf_object__find_map_fd_by_name(object, "packets") == bpf_map__fd(map))
		puts("a descriptor by name: the same");
	if (bpf_object__find_map_fd_by_name(object, "bytes") < 0)
		printf("a descriptor by a wrong name: %s\n", strerrorname_np(errno));

	bpf_object__close(object);
	return 0;
}

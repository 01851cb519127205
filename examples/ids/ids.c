// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20,
		    .repeat = 3);
	struct bpf_object *object = bpf_object__open_file("count.bpf.o", NULL);
	struct bpf_prog_info info = {};
	__u32 id, map_id, size = sizeof(info), key = 0;
	__u64 value;
	int program, map;

	if (!object || bpf_object__load(object))
		return 1;
	info.map_ids = (unsigned long)&map_id;
	info.nr_map_ids = 1;
	if (bpf_obj_get_info_by_fd(bpf_program__fd(bpf_object__next_program(object, NULL)), &info,
				   &size))
		return 1;
	id = info.id;

	/* From here on the two numbers are enough. */
	program = bpf_prog_get_fd_by_id(id);
	map = bpf_map_get_fd_by_id(map_id);
	bpf_object__close(object);
	if (bpf_prog_test_run_opts(program, &run) || bpf_map_lookup_elem(map, &key, &value))
		return 1;
	printf("%s uses %u map, which has counted %llu packets\n", info.name, info.nr_map_ids, value);

	close(program);
	close(map);
	if (bpf_prog_get_fd_by_id(id) < 0)
		printf("when the last descriptor is closed: %s\n", strerrorname_np(errno));
	return 0;
}

// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/sys/fs/bpf/pins"

static int load_and_pin(void)
{
	struct bpf_object *object = bpf_object__open_file("count.bpf.o", NULL);
	int err;

	if (!object || bpf_object__load(object))
		return -1;
	err = bpf_obj_pin(bpf_program__fd(bpf_object__find_program_by_name(object, "count")),
			  FOLDER "/count");
	err = err ?: bpf_obj_pin(bpf_object__find_map_fd_by_name(object, "packets"),
				 FOLDER "/packets");
	bpf_object__close(object); /* the pins keep the program and the map */
	return err;
}

static int use_pins(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);
	int program = bpf_obj_get(FOLDER "/count"), map = bpf_obj_get(FOLDER "/packets");
	__u32 key = 0;
	__u64 value;
	int err = bpf_prog_test_run_opts(program, &run) ?: bpf_map_lookup_elem(map, &key, &value);

	if (!err)
		printf("packets: %llu\n", value);
	if (bpf_obj_pin(map, FOLDER "/packets") == -EEXIST)
		puts("there is a pin at this path already");
	close(program);
	close(map);
	return err;
}

int main(void)
{
	mkdir(FOLDER, 0700);
	if (load_and_pin() || use_pins())
		perror("pins");
	unlink(FOLDER "/count");
	unlink(FOLDER "/packets");
	if (bpf_obj_get(FOLDER "/packets") == -ENOENT)
		puts("the pin is gone, and with it the map");
	return rmdir(FOLDER) != 0;
}

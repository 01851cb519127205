// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char in[] = "to____from__08", out[100];

static void run(int program, __u32 room, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in, .data_size_in = sizeof(in) - 1,
		    .data_out = out, .data_size_out = room, .repeat = repeat);
	int err = bpf_prog_test_run_opts(program, &options);

	if (err == -ENOSPC)
		printf("%u bytes have no room for %u\n", room, options.data_size_out);
	else if (err)
		printf("cannot run: %s\n", strerrorname_np(errno));
	else
		printf("%s: %.*s\n", options.retval == XDP_TX ? "XDP_TX" : "another action",
		       (int)options.data_size_out, out);
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("swap.bpf.o", NULL);
	int program;

	if (!object || bpf_object__load(object))
		return 1;
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "swap"));
	run(program, sizeof(out), 1);
	run(program, sizeof(out), 2); /* swapped, and swapped again */
	run(program, 10, 1);
	run(STDIN_FILENO, sizeof(out), 1);
	bpf_object__close(object);
	return 0;
}

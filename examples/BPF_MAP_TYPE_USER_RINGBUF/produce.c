// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int total_fd;

static void print_total(const char *when)
{
	__u32 key = 0;
	__u64 total = 0;

	bpf_map_lookup_elem(total_fd, &key, &total);
	printf("%s: %llu\n", when, total);
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct user_ring_buffer *ring;
	struct bpf_program *program;
	struct bpf_link *link;
	__u64 value, *sample;

	if (!object || bpf_object__load(object))
		return 1;
	total_fd = bpf_object__find_map_fd_by_name(object, "total");
	ring = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "samples"), NULL);
	program = bpf_object__find_program_by_name(object, "watch_me");
	if (!ring || bpf_prog_test_run_opts(bpf_program__fd(program), &run))
		return 1;
	program = bpf_object__find_program_by_name(object, "on_new_task");
	link = bpf_program__attach(program);
	if (!link)
		return 1;

	for (value = 1; value <= 3; value++) {
		sample = user_ring_buffer__reserve(ring, sizeof(value));
		if (!sample)
			return 1;
		*sample = value;
		user_ring_buffer__submit(ring, sample);
	}
	print_total("submitted 1, 2 and 3");
	if (fork() == 0)
		_exit(0);
	wait(NULL);
	print_total("made a process");

	bpf_link__destroy(link);
	user_ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}

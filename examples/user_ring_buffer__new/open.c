// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct user_ring_buffer *open_ring(const char *what, int fd)
{
	struct user_ring_buffer *ring = user_ring_buffer__new(fd, NULL);

	printf("%s: %s\n", what, ring ? "a ring" : strerrorname_np(errno));
	return ring;
}

static void produce(struct user_ring_buffer *ring)
{
	void *sample = user_ring_buffer__reserve(ring, 8);

	if (sample)
		user_ring_buffer__submit(ring, memcpy(sample, "8 bytes.", 8));
	user_ring_buffer__free(ring);
}

static void drain(struct bpf_object *object)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "drain");
	LIBBPF_OPTS(bpf_test_run_opts, run);

	bpf_prog_test_run_opts(bpf_program__fd(program), &run);
	printf("drained: %u\n", run.retval);
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct user_ring_buffer *first, *second;
	char path[64];
	int map;

	setlinebuf(stdout);
	if (argc > 1) { /* the other process: it knows the path and nothing else */
		produce(open_ring("the pinned map, in another process", bpf_obj_get(argv[1])));
		return 0;
	}
	object = bpf_object__open_file("drain.bpf.o", NULL);
	if (!object || bpf_object__load(object))
		return 1;
	map = bpf_object__find_map_fd_by_name(object, "samples");

	libbpf_set_print(NULL); /* or libbpf prints errors to standard error */
	open_ring("an array map", bpf_object__find_map_fd_by_name(object, "numbers"));
	open_ring("standard output", STDOUT_FILENO);
	first = open_ring("a user ring buffer", map);
	second = open_ring("the same once more", map);
	produce(first);
	produce(second);
	drain(object);

	snprintf(path, sizeof(path), "/sys/fs/bpf/samples-%d", getpid());
	if (bpf_obj_pin(map, path))
		return 1;
	if (fork() == 0)
		execl("/proc/self/exe", argv[0], path, NULL);
	wait(NULL);
	unlink(path);
	drain(object);
	bpf_object__close(object);
	return 0;
}

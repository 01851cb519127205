/* SPDX-License-Identifier: 0BSD */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

static struct user_ring_buffer *ring;
static int map_fd, drain_fd;

/* Loads drain.bpf.o and opens its ring. */
static inline void open_ring(void)
{
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);

	if (!object || bpf_object__load(object))
		exit(1);
	map_fd = bpf_object__find_map_fd_by_name(object, "samples");
	drain_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "drain"));
	ring = user_ring_buffer__new(map_fd, NULL);
	if (!ring)
		exit(1);
}

/* Runs the BPF program once; returns what bpf_user_ringbuf_drain returned. */
static inline int drain(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	if (bpf_prog_test_run_opts(drain_fd, &run))
		exit(1);
	return run.retval;
}

/* Submits a sample with whatever bytes it has; false if there is no room. */
static inline int submit(__u32 size)
{
	void *sample = user_ring_buffer__reserve(ring, size);

	if (sample)
		user_ring_buffer__submit(ring, sample);
	return sample != NULL;
}

// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Reserves a sample and submits it as it is; says what happened. */
static void *produce(struct user_ring_buffer *ring, __u32 size)
{
	void *sample = user_ring_buffer__reserve(ring, size);

	printf("%4u bytes: %s\n", size, sample ? "a sample" : strerrorname_np(errno));
	if (sample)
		user_ring_buffer__submit(ring, sample);
	return sample;
}

int main(void)
{
	const __u32 sizes[] = { 0, 1, 8, 9 };
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct user_ring_buffer *ring;
	struct bpf_program *drain;
	void *sample, *next;
	int i;

	if (!object || bpf_object__load(object))
		return 1;
	drain = bpf_object__find_program_by_name(object, "drain");
	ring = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "samples"), NULL);
	if (!ring)
		return 1;

	puts("-- what a sample takes");
	for (i = 0; i < 4; i++) {
		sample = user_ring_buffer__reserve(ring, sizes[i]);
		next = user_ring_buffer__reserve(ring, 0); /* the next sample is right behind it */
		printf("%4u bytes: %td of the ring\n", sizes[i], next - sample);
		user_ring_buffer__submit(ring, sample);
		user_ring_buffer__submit(ring, next);
	}
	puts("-- no room now, or never");
	produce(ring, 4088);
	produce(ring, 4089);
	bpf_prog_test_run_opts(bpf_program__fd(drain), &run);
	printf("-- %u drained: the ring is empty\n", run.retval);
	produce(ring, 4089);
	produce(ring, 4088);
	produce(ring, 0);

	user_ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}

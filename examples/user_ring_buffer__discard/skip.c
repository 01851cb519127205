// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int drain_fd;

static void drain(void)
{
	struct { __s32 returned; __u32 digits; } answer = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &answer, .ctx_size_in = sizeof(answer));

	bpf_prog_test_run_opts(drain_fd, &run);
	printf("the drain returned %d, the callback saw %u\n", answer.returned, answer.digits);
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);
	struct user_ring_buffer *ring;
	__u32 value, *sample;
	int discarded = 0;

	if (!object || bpf_object__load(object))
		return 1;
	drain_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "drain"));
	ring = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "samples"), NULL);
	if (!ring)
		return 1;

	puts("-- of 1 2 3, the 2 is discarded");
	for (value = 1; value <= 3; value++) {
		sample = user_ring_buffer__reserve(ring, sizeof(value));
		*sample = value;
		if (value == 2)
			user_ring_buffer__discard(ring, sample);
		else
			user_ring_buffer__submit(ring, sample);
	}
	drain();
	puts("-- discarded until nothing is left");
	while ((sample = user_ring_buffer__reserve(ring, 1016))) {
		user_ring_buffer__discard(ring, sample);
		discarded++;
	}
	printf("%d discarded, then %s\n", discarded, strerrorname_np(errno));
	drain();
	sample = user_ring_buffer__reserve(ring, 4088);
	puts(sample ? "the whole ring is free" : strerrorname_np(errno));
	user_ring_buffer__discard(ring, sample);

	user_ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}

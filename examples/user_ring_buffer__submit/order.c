// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

static int drain_fd;
static struct user_ring_buffer *ring;

static void submit(__u32 *sample, __u32 value)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	*sample = value;
	user_ring_buffer__submit(ring, sample);
	bpf_prog_test_run_opts(drain_fd, &run);
	printf("submitted %u, then drained: %u\n", value, run.retval);
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);
	__u32 *samples[7];
	int i;

	if (!object || bpf_object__load(object))
		return 1;
	drain_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "drain"));
	ring = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "samples"), NULL);
	if (!ring)
		return 1;

	for (i = 1; i <= 6; i++)
		samples[i] = user_ring_buffer__reserve(ring, sizeof(__u32));
	puts("-- reserved: 1 2 3 4 5 6");
	submit(samples[1], 1);
	submit(samples[4], 4);
	submit(samples[3], 3);
	submit(samples[2], 2);
	submit(samples[6], 6);
	submit(samples[5], 5);

	user_ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}

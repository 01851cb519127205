// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE 1016 /* and 8 bytes of header: four samples fill 4096 bytes */

static int drain_fd;

/* Runs the BPF program once: it takes every sample that was submitted, and adds up the values. */
static __u32 drain(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	return bpf_prog_test_run_opts(drain_fd, &run) ? 0 : run.retval;
}

static void *drain_later(void *total)
{
	usleep(200 * 1000);
	*(__u32 *)total = drain();
	return NULL;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Reserves a sample, writes a value into it and submits it; says whether that took a wait. */
static int produce(struct user_ring_buffer *ring, __u32 size, int timeout_ms, __u64 value)
{
	double start = seconds();
	void *sample = user_ring_buffer__reserve_blocking(ring, size, timeout_ms);
	int error = sample ? 0 : errno;

	printf("%u bytes, timeout %d ms: %s %s\n", size, timeout_ms,
	       sample ? "a sample" : strerrorname_np(error),
	       seconds() - start < 0.1 ? "at once" : "after a wait");
	if (sample) {
		memcpy(sample, &value, sizeof(value));
		user_ring_buffer__submit(ring, sample);
	}
	return error;
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);
	struct user_ring_buffer *ring;
	pthread_t thread;
	__u32 total = 0;
	__u64 value;

	if (!object || bpf_object__load(object))
		return 1;
	drain_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "drain"));
	ring = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "samples"), NULL);
	if (!ring)
		return 1;

	puts("-- until the ring is full, without blocking");
	for (value = 1; produce(ring, SIZE, 0, value) == 0; value++)
		;
	puts("-- nobody drains: the time runs out");
	produce(ring, SIZE, 500, value);
	puts("-- another thread drains after 0.2 s");
	pthread_create(&thread, NULL, drain_later, &total);
	produce(ring, SIZE, -1, value);
	pthread_join(thread, NULL);
	printf("drained then: %u, drained now: %u\n", total, drain());
	puts("-- what can never succeed fails at once");
	produce(ring, SIZE, -2, value);
	produce(ring, 4096, -1, value);

	user_ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}

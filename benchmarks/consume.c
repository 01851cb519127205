// SPDX-License-Identifier: MIT
/* What reading answers is compared with: libbpf's ring_buffer__consume and a callback in C. */
#include <bpf/libbpf.h>
#include <stdint.h>
#include <time.h>

static uint64_t sum;

static int add(void *context, void *data, size_t size)
{
	(void)context;
	(void)size;
	sum += *(uint64_t *)data;
	return 0;
}

void *consume_open(int map_fd)
{
	return ring_buffer__new(map_fd, add, NULL, NULL);
}

void consume_close(void *ring)
{
	ring_buffer__free(ring);
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Returns how long it took, in nanoseconds, without the clock's own time; how many samples there
 * were, in count. */
int64_t consume(void *ring, int *count)
{
	int64_t before = now(), begun = now(), ended;

	*count = ring_buffer__consume(ring);
	ended = now();
	return ended - begun - (begun - before);
}

// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int map_fd, drain_fd;

static void drain(const char *when)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	bpf_prog_test_run_opts(drain_fd, &run);
	printf("%s: drained %u\n", when, run.retval);
}

/* Reserves a sample, submits one behind it, and frees the ring. */
static void leave(int discard)
{
	struct user_ring_buffer *ring = user_ring_buffer__new(map_fd, NULL);
	void *first = user_ring_buffer__reserve(ring, 8);

	user_ring_buffer__submit(ring, user_ring_buffer__reserve(ring, 8));
	if (discard)
		user_ring_buffer__discard(ring, first);
	user_ring_buffer__free(ring);
}

/* Discards the sample that the next drain would look at; no pointer to it is left. */
static void repair(void)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned long *consumed = mmap(NULL, page, PROT_READ, MAP_SHARED, map_fd, 0);
	char *producer = mmap(NULL, page + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, page);
	__u32 *header = (__u32 *)(producer + page + *consumed % 4096);

	__atomic_store_n(header, (*header & ~BPF_RINGBUF_BUSY_BIT) | BPF_RINGBUF_DISCARD_BIT,
			 __ATOMIC_RELEASE);
	munmap(consumed, page);
	munmap(producer, page + 4096);
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);
	struct user_ring_buffer *ring;

	if (!object || bpf_object__load(object))
		return 1;
	map_fd = bpf_object__find_map_fd_by_name(object, "samples");
	drain_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "drain"));

	leave(1);
	drain("discarded, then freed");
	leave(0);
	drain("freed while reserved");

	ring = user_ring_buffer__new(map_fd, NULL);
	user_ring_buffer__submit(ring, user_ring_buffer__reserve(ring, 8));
	drain("one more, with a new ring");
	repair();
	drain("after the repair");
	user_ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}

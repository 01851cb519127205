// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

static int drain_fd, epoll_fd;
static struct user_ring_buffer *ring;

static void produce(__u64 value, __u64 stop, __u32 size)
{
	__u64 record[2] = { value, stop };
	void *sample = user_ring_buffer__reserve(ring, size);

	if (sample)
		user_ring_buffer__submit(ring, memcpy(sample, record, size));
}

static void drain(__u64 flags)
{
	struct { __u64 flags; __s64 returned; __u64 sum; } call = { .flags = flags };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &call, .ctx_size_in = sizeof(call));

	bpf_prog_test_run_opts(drain_fd, &run);
	printf("flags %llu: returned %lld, sum %llu\n", call.flags, call.returned, call.sum);
}

static void woken(int wait_ms)
{
	struct epoll_event event;

	puts(epoll_wait(epoll_fd, &event, 1, wait_ms) ? "  woken" : "  not woken");
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("drain.bpf.o", NULL);
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int map_fd;

	if (!object || bpf_object__load(object))
		return 1;
	drain_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "drain"));
	map_fd = bpf_object__find_map_fd_by_name(object, "samples");
	ring = user_ring_buffer__new(map_fd, NULL);
	if (!ring)
		return 1;

	puts("-- 10, a short one, 20 with a stop, 30");
	produce(10, 0, 16);
	produce(99, 0, 8);
	produce(20, 1, 16);
	produce(30, 0, 16);
	drain(0);
	drain(0);
	drain(0);
	puts("-- an unknown flag");
	drain(4);
	puts("-- which flags wake a producer");
	epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, map_fd, &event);
	while (epoll_wait(epoll_fd, &event, 1, 100))
		; /* what was before */
	drain(0);
	woken(100);
	drain(BPF_RB_FORCE_WAKEUP);
	woken(10000);
	produce(40, 0, 16);
	drain(BPF_RB_NO_WAKEUP);
	woken(100);
	produce(50, 0, 16);
	drain(0);
	woken(10000);

	user_ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}

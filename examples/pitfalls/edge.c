// SPDX-License-Identifier: 0BSD
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ring.h"

static int wakeups;

/* Waits for room, at most timeout_ms after each wakeup. */
static void *reserve_edge_triggered(__u32 size, int timeout_ms)
{
	struct epoll_event room = { .events = EPOLLOUT | EPOLLET };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	void *sample;

	wakeups = 0;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, map_fd, &room); /* before the first look at the ring */
	while (!(sample = user_ring_buffer__reserve(ring, size)) && errno == ENOSPC &&
	       epoll_wait(epoll_fd, &room, 1, timeout_ms) > 0)
		wakeups++;
	close(epoll_fd);
	return sample;
}

static void *drain_later(void *unused)
{
	usleep(100 * 1000);
	drain();
	return NULL;
}

int main(void)
{
	pthread_t thread;
	void *sample;

	open_ring();
	for (int i = 0; i < 3; i++)
		submit(1016);
	sample = reserve_edge_triggered(1024, 300);
	printf("nobody drains: %s, wakeups: %d\n", sample ? "a sample" : "no room", wakeups);
	pthread_create(&thread, NULL, drain_later, NULL);
	sample = reserve_edge_triggered(1024, 5000);
	printf("a drain after 0.1 s: %s, wakeups: %d\n", sample ? "a sample" : "no room", wakeups);
	pthread_join(thread, NULL);
	return 0;
}

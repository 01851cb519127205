// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/epoll.h>
#include "ring.h"

static unsigned long calls;

/* Takes the place of the C library's, so that it counts libbpf's calls. */
int epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms)
{
	calls++;
	return epoll_pwait(epoll_fd, events, most, timeout_ms, NULL);
}

static void wait_in_vain(const char *state, __u32 size)
{
	calls = 0;
	if (!user_ring_buffer__reserve_blocking(ring, size, 300))
		printf("%s: no room, epoll_wait was called %s\n", state,
		       calls > 1000 ? "more than 1000 times" : calls > 1 ? "several times" : "once");
}

int main(void)
{
	open_ring();
	for (int i = 0; i < 3; i++)
		submit(1016); /* with its header 1024 bytes */
	wait_in_vain("1024 bytes free, 1032 needed", 1024);
	submit(1016);
	wait_in_vain("0 bytes free, 1032 needed", 1024);
	return 0;
}

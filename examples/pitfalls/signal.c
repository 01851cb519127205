// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include "ring.h"

static volatile sig_atomic_t handled;

static void on_alarm(int number)
{
	handled = 1;
}

/* Waits 0.6 s for room, with a signal after 0.1 s. */
static void wait_in_vain(const char *state)
{
	struct itimerval soon = { .it_value.tv_usec = 100 * 1000 };
	void *sample;
	int error;

	handled = 0;
	setitimer(ITIMER_REAL, &soon, NULL);
	sample = user_ring_buffer__reserve_blocking(ring, 1024, 600);
	error = sample ? 0 : errno;
	printf("%s: %s, handler ran: %s\n", state, strerrorname_np(error), handled ? "yes" : "no");
}

int main(void)
{
	signal(SIGALRM, on_alarm);
	open_ring();
	for (int i = 0; i < 3; i++)
		submit(1016);
	wait_in_vain("partly full");
	submit(1016);
	wait_in_vain("completely full");
	return 0;
}

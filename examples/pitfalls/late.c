// SPDX-License-Identifier: 0BSD
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "ring.h"

static void *drain_later(void *unused)
{
	usleep(100 * 1000);
	drain();
	return NULL;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(void)
{
	pthread_t thread;
	double start;
	void *sample;

	open_ring();
	while (submit(1016))
		;
	start = seconds();
	pthread_create(&thread, NULL, drain_later, NULL);
	sample = user_ring_buffer__reserve_blocking(ring, 1016, 800);
	printf("room after 0.1 s: %s, %s\n", sample ? "a sample" : "no room",
	       seconds() - start < 0.8 ? "at once" : "when the 0.8 s were over");
	pthread_join(thread, NULL);
	return 0;
}

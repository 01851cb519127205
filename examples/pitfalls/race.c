// SPDX-License-Identifier: 0BSD
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include "ring.h"

#define EACH 20000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *produce(void *locked)
{
	for (int i = 0; i < EACH; i++) {
		void *sample;

		if (locked)
			pthread_mutex_lock(&lock);
		sample = user_ring_buffer__reserve(ring, 8);
		if (locked)
			pthread_mutex_unlock(&lock);
		if (!sample)
			exit(1); /* never happens */
		user_ring_buffer__submit(ring, sample);
	}
	return NULL;
}

static int lost(bool locked)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, produce, locked ? "locked" : NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 2 * EACH - drain();
}

int main(void)
{
	int rounds = 0;

	open_ring();
	while (lost(false) == 0 && ++rounds < 1000)
		;
	printf("without a lock: %s\n", rounds < 1000 ? "samples lost" : "none lost");
	for (rounds = 0; rounds < 20 && lost(true) == 0; rounds++)
		;
	printf("with a lock: %s\n", rounds < 20 ? "samples lost" : "none lost");
	return 0;
}

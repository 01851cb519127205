// SPDX-License-Identifier: 0BSD
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ring.h"

#define EACH 20000

static void produce(pthread_mutex_t *lock)
{
	struct user_ring_buffer *mine = user_ring_buffer__new(map_fd, NULL);

	for (int i = 0; i < EACH; i++) {
		void *sample;

		if (lock)
			pthread_mutex_lock(lock);
		sample = user_ring_buffer__reserve(mine, 8);
		if (lock)
			pthread_mutex_unlock(lock);
		if (!sample)
			exit(1); /* never happens */
		user_ring_buffer__submit(mine, sample);
	}
	user_ring_buffer__free(mine);
}

static int lost(pthread_mutex_t *lock)
{
	if (fork() == 0) {
		produce(lock);
		_exit(0);
	}
	produce(lock);
	wait(NULL);
	return 2 * EACH - drain();
}

int main(void)
{
	pthread_mutex_t *lock = mmap(NULL, sizeof(*lock), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t shared;
	int rounds = 0;

	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(lock, &shared);
	open_ring();
	while (lost(NULL) == 0 && ++rounds < 1000)
		;
	printf("without a lock: %s\n", rounds < 1000 ? "samples lost" : "none lost");
	for (rounds = 0; rounds < 20 && lost(lock) == 0; rounds++)
		;
	printf("with a lock: %s\n", rounds < 20 ? "samples lost" : "none lost");
	return 0;
}

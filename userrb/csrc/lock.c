/* SPDX-License-Identifier: MIT */
/* One lock a map: libbpf's reserve loses samples when two producers run it at once.
 *
 * The lock is found by the map's id, so that two handles of one map share it, and stands in
 * memory shared with forked children, so that parent and child may both produce. It is robust: a
 * process that dies inside reserve leaves the ring as it was before, because reserve publishes
 * the producer position last.
 */
#include "core.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

struct map_lock {
	uint32_t map_id;
	unsigned int references;
	bool forked;			/* a relative shares it, and may produce for as long as it lives */
	pthread_mutex_t *mutex;		/* in a page of its own, MAP_SHARED */
	struct map_lock *next;
};

static struct map_lock *map_locks;
static pthread_mutex_t map_locks_mutex = PTHREAD_MUTEX_INITIALIZER;

_Atomic unsigned int fork_generation;

static void before_fork(void)
{
	struct map_lock *lock;

	pthread_mutex_lock(&map_locks_mutex);
	for (lock = map_locks; lock; lock = lock->next)
		lock->forked = true;
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&map_locks_mutex);
}

static void after_fork_in_child(void)
{
	fork_generation++;
	pthread_mutex_unlock(&map_locks_mutex);
}

int fork_generation_watch(void)
{
	return pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static pthread_mutex_t *shared_mutex_new(void)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t *mutex;

	mutex = mmap(NULL, sizeof(*mutex), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mutex == MAP_FAILED)
		return NULL;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return mutex;
}

struct map_lock *map_lock_get(uint32_t map_id)
{
	struct map_lock *lock;

	pthread_mutex_lock(&map_locks_mutex);
	for (lock = map_locks; lock; lock = lock->next)
		if (lock->map_id == map_id)
			break;
	if (!lock) {
		lock = calloc(1, sizeof(*lock));
		if (lock && !(lock->mutex = shared_mutex_new())) {
			free(lock);
			lock = NULL;
		}
		if (lock) {
			lock->map_id = map_id;
			lock->next = map_locks;
			map_locks = lock;
		}
	}
	if (lock)
		lock->references++;
	pthread_mutex_unlock(&map_locks_mutex);
	return lock;
}

void map_lock_put(struct map_lock *lock)
{
	struct map_lock **link;

	pthread_mutex_lock(&map_locks_mutex);
	/* One that a relative shares is kept, for a ring that is opened on this map later. */
	if (--lock->references == 0 && !lock->forked) {
		for (link = &map_locks; *link != lock; link = &(*link)->next)
			;
		*link = lock->next;
		munmap(lock->mutex, sizeof(*lock->mutex));
		free(lock);
	}
	pthread_mutex_unlock(&map_locks_mutex);
}

void map_lock_acquire(struct map_lock *lock)
{
	if (pthread_mutex_lock(lock->mutex) == EOWNERDEAD)
		pthread_mutex_consistent(lock->mutex);
}

void map_lock_release(struct map_lock *lock)
{
	pthread_mutex_unlock(lock->mutex);
}

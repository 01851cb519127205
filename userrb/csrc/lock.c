/* SPDX-License-Identifier: MIT */
/* One lock a map, for every producer of this package in whatever process.
 *
 * libbpf's reserve loses samples when two producers run it at once. The lock stands in the map
 * itself: the kernel and libbpf use only the first bytes of the page of the producer position.
 * So any process that can produce finds it, in every container, without a name, a file or a
 * permission more; and it goes when the map goes.
 *
 * It is robust. While a thread holds or tries the lock, its robust list (which the C library has
 * registered with the kernel) names the lock as the operation pending, and the kernel marks the
 * lock if the thread dies then. The list itself is left alone, so that no pointer stands in memory
 * that others may write. What a dead owner leaves is the ring as it was before, because reserve
 * and batches publish the producer position last.
 *
 * The kernel does not let threads sleep on a futex in this page: whoever finds the lock taken has
 * to look again.
 */
#include "core.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK 0x31627275u	/* "urb1" */
#define LOCK_OFFSET 2048
#define SPINS 100		/* a few microseconds: as long as a few samples take */

struct producer_lock {
	_Atomic uint32_t mark;
	_Atomic uint32_t owner;	/* a thread's id, as a robust futex has it; 0: free */
};

struct owner {
	struct robust_list_head *robust;
	uint32_t thread_id;
	unsigned int generation;
	struct robust_list_head unregistered;	/* where the C library has none: not robust then */
};

static __thread struct owner this_thread;

_Atomic unsigned int fork_generation;

static void after_fork_in_child(void)
{
	fork_generation++;
}

static int watch_error;

static void watch(void)
{
	watch_error = pthread_atfork(NULL, NULL, after_fork_in_child);
}

int fork_generation_watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch);
	return watch_error;
}

struct producer_lock *producer_lock_open(void *producer_page)
{
	struct producer_lock *lock = (void *)((char *)producer_page + LOCK_OFFSET);
	uint32_t mark = 0;

	if (atomic_compare_exchange_strong(&lock->mark, &mark, MARK) || mark == MARK)
		return lock;
	errno = EPROTO;
	return NULL;
}

static void owner_fill(struct owner *owner)
{
	size_t length;

	if (syscall(SYS_get_robust_list, 0, &owner->robust, &length) || !owner->robust)
		owner->robust = &owner->unregistered;
	owner->thread_id = syscall(SYS_gettid);
	owner->generation = fork_generation;
}

static bool take(struct producer_lock *lock, const struct owner *owner)
{
	struct robust_list_head *robust = owner->robust;
	uint32_t found = 0;

	robust->list_op_pending = (void *)((char *)&lock->owner - robust->futex_offset);
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_compare_exchange_strong(&lock->owner, &found, owner->thread_id) ||
	    (found & FUTEX_OWNER_DIED &&
	     atomic_compare_exchange_strong(&lock->owner, &found, owner->thread_id)))
		return true;
	robust->list_op_pending = NULL;
	return false;
}

bool producer_lock_try(struct producer_lock *lock)
{
	struct owner *owner = &this_thread;
	int i;

	if (!owner->robust || owner->generation != fork_generation)
		owner_fill(owner);
	if (take(lock, owner))
		return true;
	for (i = 0; i < SPINS; i++) {
		uint32_t found = atomic_load_explicit(&lock->owner, memory_order_relaxed);

		if ((found == 0 || found & FUTEX_OWNER_DIED) && take(lock, owner))
			return true;
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("isb");
#endif
	}
	return false;
}

void producer_lock_release(struct producer_lock *lock)
{
	atomic_store_explicit(&lock->owner, 0, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	this_thread.robust->list_op_pending = NULL;
}

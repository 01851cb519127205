/* SPDX-License-Identifier: MIT */
/* A wait for room that sleeps, hears signals, and notices drains that wake nobody.
 *
 * libbpf's own wait is level-triggered, and the kernel calls the map writable as long as one byte
 * is free: with some room, but too little, it spins. Edge-triggered, the same descriptor reports
 * once for every wakeup that a drain sends. A drain with BPF_RB_NO_WAKEUP sends none, hence the
 * look at the ring every LOOK_MS.
 *
 * The lock of another producer sends no wakeup either. It is free again after some microseconds,
 * unless that producer is stopped or writes a batch of megabytes.
 */
#include "core.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 20
#define LOCK_MS 25		/* waited for the lock at least, by calls that do not wait for room */
#define LOCK_NAP_NS 50000	/* before the second look at it, doubled for each one after */
#define LOCK_NAP_MAX_NS 5000000
#define NS_PER_MS 1000000

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

/* ---- calls without the GIL */

static struct call *call_begin(struct ring *ring, struct attempt *attempt)
{
	/* Not on this thread's stack, which is gone in a child that another thread forks. */
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		PyErr_NoMemory();
		return NULL;
	}
	call->attempt = attempt;
	call->thread = pthread_self();
	call->next = ring->calls;
	call->link = &ring->calls;
	if (call->next)
		call->next->link = &call->next;
	ring->calls = call;
	return call;
}

void call_forget(struct call *call)
{
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	free(call);
}

static void call_finish(struct ring *ring, struct call *call)
{
	ring_renew(ring);
	call_forget(call);
	if (ring->closed && !ring->calls)
		ring_free(ring);
}

/* EBUSY: another producer has the lock. */
static int call_try(struct ring *ring, struct call *call)
{
	int result;

	if (!producer_lock_try(ring->lock))
		return EBUSY;
	call->busy = true;
	result = ring->closed ? EBADF : call->attempt->make(ring, call->attempt);
	call->busy = false;
	producer_lock_release(ring->lock);
	return result;
}

/* ---- the wait */

struct wait {
	int timeout_ms, epoll_fd;
	int64_t deadline, lock_deadline, nap_ns;
	unsigned int generation;
};

/* A descriptor of its own for every waiter: waiters that shared one would steal each other's
 * edges, and so would a forked child that inherited it. */
static int wait_open(struct ring *ring, struct wait *wait)
{
	struct epoll_event room = { .events = EPOLLOUT | EPOLLET };
	/* Edge-triggered as well: a forked child that closes its ring writes to this eventfd too. */
	struct epoll_event closing = { .events = EPOLLIN | EPOLLET };

	wait->epoll_fd = ring->idle_fd;
	ring->idle_fd = -1;
	if (wait->epoll_fd >= 0)
		return 0;
	wait->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (wait->epoll_fd >= 0 &&
	    !epoll_ctl(wait->epoll_fd, EPOLL_CTL_ADD, ring->map_fd, &room) &&
	    !epoll_ctl(wait->epoll_fd, EPOLL_CTL_ADD, ring->wake_fd, &closing))
		return 0;
	raise_errno(ring->core->bpf_error, errno, "waiting for room: %s", strerror(errno));
	if (wait->epoll_fd >= 0)
		close(wait->epoll_fd);
	wait->epoll_fd = -1;
	return -1;
}

/* Kept for the next wait: to close it would take as long as half the way from the drain to here. An
 * edge that it has seen since then costs the next waiter one look more. */
static void wait_close(struct ring *ring, const struct wait *wait)
{
	if (wait->epoll_fd < 0)
		return;
	if (ring->idle_fd >= 0 || wait->generation != fork_generation)
		close(wait->epoll_fd);
	else
		ring->idle_fd = wait->epoll_fd;
}

/* How long to sleep after a result; not positive when the time is over. */
static int64_t sleep_ns(struct wait *wait, int result)
{
	int64_t most = LOOK_MS * (int64_t)NS_PER_MS, deadline = wait->deadline, left;

	if (result == EBUSY) {
		most = wait->nap_ns;
		wait->nap_ns *= 2;
		if (wait->nap_ns > LOCK_NAP_MAX_NS)
			wait->nap_ns = LOCK_NAP_MAX_NS;
		deadline = wait->lock_deadline;
	} else {
		wait->nap_ns = LOCK_NAP_NS;
	}
	if (wait->timeout_ms == -1)
		return most;
	left = deadline - now_ns();
	return left < most ? left : most;
}

static void sleep_for(const struct wait *wait, int result, int64_t ns)
{
	struct timespec nap = { .tv_nsec = ns };
	struct epoll_event event;

	if (result == EBUSY)
		nanosleep(&nap, NULL);
	else	/* rounded up, so that the last sleep does not end early */
		epoll_wait(wait->epoll_fd, &event, 1, (ns + NS_PER_MS - 1) / NS_PER_MS);
}

static int sleep_and_try(struct ring *ring, struct call *call, struct wait *wait, int result)
{
	int64_t ns;

	while ((result == EAGAIN || result == EBUSY) && (ns = sleep_ns(wait, result)) > 0) {
		if (result == EAGAIN && wait->epoll_fd < 0 && wait_open(ring, wait))
			return -1;
		/* The attempt follows the wakeup at once, before the GIL is there again. */
		Py_BEGIN_ALLOW_THREADS
		sleep_for(wait, result, ns);
		result = call_try(ring, call);
		Py_END_ALLOW_THREADS
		if (result != EAGAIN && result != EBUSY)
			break;
		/* Not only after EINTR: the signal may have interrupted another thread. After
		 * success Python runs the handlers itself, and the sample is not lost. */
		if (PyErr_CheckSignals())
			return -1;
		if (ring->closed)
			return EBADF;
		if (wait->generation != fork_generation) {
			/* A handler has forked, and this is the child, with a wait of its own. */
			ring_renew(ring);
			if (wait->epoll_fd >= 0)
				close(wait->epoll_fd);
			wait->epoll_fd = -1;
			wait->generation = fork_generation;
		}
	}
	return result == EBUSY ? EAGAIN : result;
}

/* The attempt and, where it has to wait, the wait; `result` is that of an attempt before. */
static int try_without_gil(struct ring *ring, struct attempt *attempt, int timeout_ms, int result)
{
	int64_t now = now_ns(), after = timeout_ms > 0 ? timeout_ms * (int64_t)NS_PER_MS : 0;
	int64_t patience = timeout_ms == TIMEOUT_NOW ? 0 : LOCK_MS * (int64_t)NS_PER_MS;
	struct wait wait = { .timeout_ms = timeout_ms, .epoll_fd = -1, .nap_ns = LOCK_NAP_NS,
			     .generation = fork_generation, .deadline = now + after,
			     .lock_deadline = now + (after > patience ? after : patience) };
	struct call *call = call_begin(ring, attempt);

	if (!call)
		return -1;
	if (result == 0) {
		Py_BEGIN_ALLOW_THREADS
		result = call_try(ring, call);
		Py_END_ALLOW_THREADS
	}
	result = sleep_and_try(ring, call, &wait, result);
	wait_close(ring, &wait);
	call_finish(ring, call);
	return result;
}

int ring_wait(struct ring *ring, struct attempt *attempt, int timeout_ms, bool lengthy)
{
	int result = lengthy ? 0 : EBUSY;

	if (!ring_check(ring))
		return -1;
	if (timeout_ms == TIMEOUT_NOT_YET)
		return EAGAIN;
	if (!lengthy && producer_lock_try(ring->lock)) {
		result = attempt->make(ring, attempt);
		producer_lock_release(ring->lock);
		if (result != EAGAIN || timeout_ms == 0 || timeout_ms == TIMEOUT_NOW)
			return result;
	}
	result = try_without_gil(ring, attempt, timeout_ms, result);
	if (result == EBADF) {
		PyErr_SetString(ring->core->ring_closed, "the ring was closed by another thread");
		result = -1;
	}
	return result;
}

int timeout_parse(const struct ring *ring, PyObject *value, int *timeout_ms)
{
	long milliseconds = PyLong_AsLong(value);

	if (milliseconds == -1 && PyErr_Occurred()) {
		if (!PyErr_ExceptionMatches(PyExc_OverflowError))
			return -1;
		PyErr_Clear();
		milliseconds = LONG_MIN;
	}
	if (milliseconds < -1 || milliseconds > INT_MAX) {
		raise_errno(ring->core->bad_timeout, EINVAL,
			    "timeout_ms must be -1 (wait forever), 0 (do not wait) or at most %d",
			    INT_MAX);
		return -1;
	}
	*timeout_ms = (int)milliseconds;
	return 0;
}

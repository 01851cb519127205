/* SPDX-License-Identifier: MIT */
/* A wait for room that sleeps, hears signals, and notices drains that wake nobody.
 *
 * libbpf's own wait is level-triggered, and the kernel calls the map writable as long as one byte
 * is free: with some room, but too little, it spins. Edge-triggered, the same descriptor reports
 * once for every wakeup that a drain sends. A drain with BPF_RB_NO_WAKEUP sends none, hence the
 * look at the ring every LOOK_MS.
 */
#include "core.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 20
#define NS_PER_MS 1000000

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

/* A descriptor of its own for every waiter: waiters that shared one would steal each other's
 * edges, and so would a forked child that inherited it. */
static int waiter_open(struct ring *ring)
{
	struct epoll_event room = { .events = EPOLLOUT | EPOLLET };
	/* Edge-triggered as well: a forked child that closes its ring writes to this eventfd too. */
	struct epoll_event closing = { .events = EPOLLIN | EPOLLET };
	int epoll_fd = atomic_exchange(&ring->idle_fd, -1);

	if (epoll_fd >= 0)
		return epoll_fd;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -1;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ring->map_fd, &room) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ring->wake_fd, &closing)) {
		int saved = errno;

		close(epoll_fd);
		errno = saved;
		return -1;
	}
	return epoll_fd;
}

/* Kept for the next wait: to close it would take as long as half the way from the drain to here. An
 * edge that it has seen since then costs the next waiter one look more. */
static void waiter_close(struct ring *ring, int epoll_fd)
{
	int other = atomic_exchange(&ring->idle_fd, epoll_fd);

	if (other >= 0)
		close(other);
}

/* Milliseconds to sleep now, rounded up so that the last sleep does not end early; 0: time over. */
static int next_sleep_ms(int timeout_ms, int64_t deadline)
{
	int64_t left;

	if (timeout_ms < 0)
		return LOOK_MS;
	left = deadline - now_ns();
	if (left <= 0)
		return 0;
	left = (left + NS_PER_MS - 1) / NS_PER_MS;
	return left < LOOK_MS ? (int)left : LOOK_MS;
}

static int try_once(struct ring *ring, ring_attempt attempt, void *what)
{
	int result;

	map_lock_acquire(ring->lock);
	result = ring->closed ? EBADF : attempt(ring, what);
	map_lock_release(ring->lock);
	return result;
}

static int sleep_and_try(struct ring *ring, ring_attempt attempt, void *what, int timeout_ms)
{
	int64_t deadline = now_ns() + timeout_ms * (int64_t)NS_PER_MS;
	struct epoll_event event;
	int result = EAGAIN, sleep_ms, epoll_fd;

	epoll_fd = waiter_open(ring);
	if (epoll_fd < 0) {
		PyErr_SetFromErrno(PyExc_OSError);
		return -1;
	}
	while (result == EAGAIN && (sleep_ms = next_sleep_ms(timeout_ms, deadline))) {
		/* The attempt follows the wakeup at once, before the GIL is there again. */
		Py_BEGIN_ALLOW_THREADS
		epoll_wait(epoll_fd, &event, 1, sleep_ms);
		result = try_once(ring, attempt, what);
		Py_END_ALLOW_THREADS
		/* Not only after EINTR: the signal may have interrupted another thread. After
		 * success Python runs the handlers itself, and the sample is not lost. */
		if (result == EAGAIN && PyErr_CheckSignals())
			result = -1;
	}
	waiter_close(ring, epoll_fd);
	return result;
}

int ring_wait(struct ring *ring, ring_attempt attempt, void *what, int timeout_ms, bool lengthy)
{
	int result = EAGAIN;

	if (!ring_enter(ring))
		return -1;
	if (!lengthy)
		result = attempt(ring, what);
	if (!lengthy && (result != EAGAIN || timeout_ms == 0)) {
		ring_leave(ring);
		return result;
	}
	ring_pin(ring);
	ring_leave(ring);
	if (lengthy) {
		Py_BEGIN_ALLOW_THREADS
		result = try_once(ring, attempt, what);
		Py_END_ALLOW_THREADS
	}
	if (result == EAGAIN && timeout_ms != 0)
		result = sleep_and_try(ring, attempt, what, timeout_ms);
	ring_unpin(ring);
	if (result == EBADF) {
		PyErr_SetString(error_closed, "the ring was closed by another thread");
		result = -1;
	}
	return result;
}

int timeout_parse(PyObject *value, int *timeout_ms)
{
	long milliseconds = PyLong_AsLong(value);

	if (milliseconds == -1 && PyErr_Occurred()) {
		if (!PyErr_ExceptionMatches(PyExc_OverflowError))
			return -1;
		PyErr_Clear();
		milliseconds = LONG_MIN;
	}
	if (milliseconds < -1 || milliseconds > INT_MAX) {
		raise_errno(error_timeout, EINVAL,
			    "timeout_ms is -1 (wait without end), 0 (do not wait) or up to %d ms",
			    INT_MAX);
		return -1;
	}
	*timeout_ms = (int)milliseconds;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* A ring from a map's file descriptor to its close; the calls on it stand in calls.c. */
#include "core.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel refuses to drain a larger sample, even a discarded one, and stops there for good. */
#define DRAINABLE_MAX ((1u << 24) - 1)

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static size_t producer_length(const struct ring *ring)
{
	return page_size() + 2 * (size_t)ring->size;
}

/* ---- lock and life */

bool ring_enter(struct ring *ring)
{
	if (ring->lock)
		map_lock_acquire(ring->lock);
	if (!ring->lock || ring->closed) {
		if (ring->lock)
			map_lock_release(ring->lock);
		PyErr_SetString(error_closed, "the ring is closed");
		return false;
	}
	if (ring->generation != fork_generation) {
		/* A forked child: samples and running calls are the parent's, and stay so. */
		ring->generation = fork_generation;
		/* Views of these came along, and are out of reach here. */
		ring->seen |= ring->reserved != NULL;
		ring->reserved = NULL;
		ring->users = 0;
		/* The parent may be waiting on it: two waiters on one would steal each other's edges. */
		if (ring->idle_fd >= 0)
			close(atomic_exchange(&ring->idle_fd, -1));
	}
	return true;
}

void ring_leave(struct ring *ring)
{
	map_lock_release(ring->lock);
}

void ring_pin(struct ring *ring)
{
	ring->users++;
}

static void ring_free(struct ring *ring)
{
	if (!ring->seen)
		user_ring_buffer__free(ring->rb);
	ring->rb = NULL;
	if (ring->consumer_pos)
		munmap((void *)ring->consumer_pos, page_size());
	if (ring->producer_pos)
		munmap((void *)ring->producer_pos, producer_length(ring));
	if (ring->idle_fd >= 0)
		close(ring->idle_fd);
	if (ring->wake_fd >= 0)
		close(ring->wake_fd);
	if (ring->map_fd >= 0)
		close(ring->map_fd);
}

void ring_unpin(struct ring *ring)
{
	bool last;

	map_lock_acquire(ring->lock);
	last = --ring->users == 0 && ring->closed;
	map_lock_release(ring->lock);
	if (last)
		ring_free(ring);
}

uint32_t ring_largest(const struct ring *ring)
{
	uint32_t fits = ring->size - BPF_RINGBUF_HDR_SZ;

	return fits < DRAINABLE_MAX ? fits : DRAINABLE_MAX;
}

void *ring_try_reserve(struct ring *ring, uint32_t size)
{
	if (size > ring_largest(ring)) {
		errno = E2BIG;
		return NULL;
	}
	return user_ring_buffer__reserve(ring->rb, size);
}

/* ---- open */

static int ring_map(struct ring *ring)
{
	void *consumer, *producer;

	consumer = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, ring->map_fd, 0);
	if (consumer == MAP_FAILED)
		return -1;
	ring->consumer_pos = consumer;
	producer = mmap(NULL, producer_length(ring), PROT_READ | PROT_WRITE, MAP_SHARED,
			ring->map_fd, page_size());
	if (producer == MAP_FAILED)
		return -1;
	ring->producer_pos = producer;
	ring->data = (uint8_t *)producer + page_size();
	return 0;
}

static int ring_open(struct ring *ring, int map_fd)
{
	struct bpf_map_info info;
	__u32 length = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (bpf_obj_get_info_by_fd(map_fd, &info, &length))
		return -1;
	if (info.type != BPF_MAP_TYPE_USER_RINGBUF) {
		errno = EINVAL;
		return -1;
	}
	ring->size = info.max_entries;
	ring->map_fd = fcntl(map_fd, F_DUPFD_CLOEXEC, 3);
	if (ring->map_fd < 0)
		return -1;
	ring->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->wake_fd < 0 || ring_map(ring))
		return -1;
	ring->rb = user_ring_buffer__new(ring->map_fd, NULL);
	if (!ring->rb)
		return -1;
	ring->lock = map_lock_get(info.id);
	if (!ring->lock) {
		errno = ENOMEM;
		return -1;
	}
	ring->generation = fork_generation;
	ring->closed = false;
	return 0;
}

int ring_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
	struct ring *ring = (struct ring *)self;
	int map_fd;

	if (kwargs && PyDict_Size(kwargs) > 0) {
		PyErr_SetString(PyExc_TypeError, "Ring takes no keyword arguments");
		return -1;
	}
	if (!PyArg_ParseTuple(args, "i", &map_fd))
		return -1;
	if (ring->lock) {
		PyErr_SetString(PyExc_RuntimeError, "the ring was already opened");
		return -1;
	}
	ring->closed = true;
	ring->map_fd = ring->wake_fd = ring->idle_fd = -1;
	if (ring_open(ring, map_fd) == 0)
		return 0;
	raise_errno(error_bpf, errno, "opening the user ring buffer on descriptor %d: %s", map_fd,
		    strerror(errno));
	ring_free(ring);
	memset((char *)ring + sizeof(PyObject), 0, sizeof(*ring) - sizeof(PyObject));
	return -1;
}

/* ---- close */

static bool views_alive(const struct ring *ring)
{
	const struct sample *sample;

	for (sample = ring->reserved; sample; sample = sample->next)
		if (sample_has_views(sample))
			return true;
	return false;
}

/* Discards what is reserved and wakes every wait; -1 if a view is alive. The lock must be held. */
static int ring_shut(struct ring *ring, bool force)
{
	if (!force && views_alive(ring))
		return -1;
	while (ring->reserved)
		if (!sample_close(ring->reserved, force))
			return -1;

	ring->closed = true;
	eventfd_write(ring->wake_fd, 1);
	return 0;
}

static int ring_close_now(struct ring *ring, bool force)
{
	bool unused;
	int result;

	if (!ring->lock || ring->closed)
		return 0;
	if (!ring_enter(ring)) {
		PyErr_Clear();		/* closed by another thread meanwhile */
		return 0;
	}
	if (force)
		ring->seen |= views_alive(ring);
	result = ring_shut(ring, force);
	unused = result == 0 && ring->users == 0;
	ring_leave(ring);
	if (unused)
		ring_free(ring);
	return result;
}

PyObject *ring_close(PyObject *self, PyObject *unused)
{
	(void)unused;
	if (ring_close_now((struct ring *)self, false)) {
		PyErr_SetString(PyExc_BufferError, "cannot close the ring: a view of a reserved "
				"sample is still alive; release it (or delete what holds it) first");
		return NULL;
	}
	Py_RETURN_NONE;
}

PyObject *ring_close_at_exit(PyObject *self, PyObject *unused)
{
	(void)unused;
	ring_close_now((struct ring *)self, true);
	Py_RETURN_NONE;
}

void ring_dealloc(PyObject *self)
{
	struct ring *ring = (struct ring *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc release = PyType_GetSlot(type, Py_tp_free);

	ring_close_now(ring, false);
	if (ring->lock)
		map_lock_put(ring->lock);
	release(self);
	Py_DECREF(type);
}

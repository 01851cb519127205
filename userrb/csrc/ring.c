/* SPDX-License-Identifier: MIT */
/* A ring from a map's file descriptor to its close; the calls on it stand in calls.c. */
#include "core.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
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

/* ---- life */

void ring_renew(struct ring *ring)
{
	struct call *call, *next;

	if (ring->generation == fork_generation)
		return;
	/* A forked child: samples, and the calls of other threads, are the parent's and stay so. */
	ring->generation = fork_generation;
	ring->owner = owner_of_this_process();
	/* Views of these came along, and are out of reach here. */
	ring->seen |= ring->reserved != NULL;
	ring->reserved = NULL;
	for (call = ring->calls; call; call = next) {
		next = call->next;
		if (!pthread_equal(call->thread, pthread_self()))
			call_forget(call);
	}
	/* The parent may be waiting on it: two waiters on one would steal each other's edges. */
	if (ring->idle_fd >= 0)
		close(ring->idle_fd);
	ring->idle_fd = -1;
}

bool ring_check(struct ring *ring)
{
	if (!ring->lock || ring->closed) {
		PyErr_SetString(ring->core->ring_closed, "the ring is closed");
		return false;
	}
	ring_renew(ring);
	return true;
}

void ring_free(struct ring *ring)
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

uint32_t ring_largest(const struct ring *ring)
{
	uint32_t fits = ring->size - BPF_RINGBUF_HDR_SZ;

	return fits < DRAINABLE_MAX ? fits : DRAINABLE_MAX;
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
	ring->lock = producer_lock_open((void *)ring->producer_pos);
	if (!ring->lock)
		return -1;
	ring->generation = fork_generation;
	ring->owner = owner_of_this_process();
	ring->closed = false;
	return 0;
}

PyObject *ring_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	struct core *core = core_of(type);
	struct ring *ring;

	(void)args, (void)kwargs;
	if (!core)
		return NULL;
	ring = (struct ring *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
	if (ring)
		ring->core = core;
	return (PyObject *)ring;
}

int ring_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
	struct ring *ring = (struct ring *)self;
	size_t forget;
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
	if (errno == EPROTO)
		raise_errno(ring->core->bpf_error, EPROTO, "the ring on descriptor %d has something "
			    "else where userrb's producers share a lock", map_fd);
	else
		raise_errno(ring->core->bpf_error, errno, "opening the user ring buffer on descriptor "
			    "%d: %s", map_fd, strerror(errno));
	ring_free(ring);
	forget = offsetof(struct ring, rb);
	memset((char *)ring + forget, 0, sizeof(*ring) - forget);
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

/* Takes what a call has reserved without the GIL, after the attempt that may be going on. That needs
 * no GIL, and has the lock. */
static void call_end(struct ring *ring, struct call *call)
{
	while (call->busy)
		sched_yield();
	if (call->attempt->memory)
		user_ring_buffer__discard(ring->rb, call->attempt->memory);
	call->attempt->memory = NULL;
}

/* Discards what is reserved and wakes every wait; -1 if a view is alive. */
static int ring_shut(struct ring *ring, bool force)
{
	struct call *call;

	if (!force && views_alive(ring))
		return -1;
	ring->seen |= views_alive(ring);
	while (ring->reserved)
		sample_close(ring->reserved);
	ring->closed = true;
	for (call = ring->calls; call; call = call->next)
		call_end(ring, call);
	eventfd_write(ring->wake_fd, 1);
	return 0;
}

static int ring_close_now(struct ring *ring, bool force)
{
	if (!ring->lock || ring->closed)
		return 0;
	ring_renew(ring);
	if (ring_shut(ring, force))
		return -1;
	if (!ring->calls)
		ring_free(ring);
	return 0;
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
	release(self);
	Py_DECREF(type);
}

/* SPDX-License-Identifier: MIT */
/* What the C files of userrb._core share: the ring, the sample, the lock, the wait, the batch.
 *
 * One rule holds everywhere: the lock is never held while Python code can run. A thread may
 * therefore wait for the lock with the GIL held or without it.
 */
#ifndef USERRB_CORE_H
#define USERRB_CORE_H

#ifdef Py_GIL_DISABLED
#undef Py_LIMITED_API
#elif !defined(Py_LIMITED_API)
#define Py_LIMITED_API 0x030b0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- lock.c: one lock a map, shared by every handle of this process and its forked children */

struct map_lock;

struct map_lock *map_lock_get(uint32_t map_id);
void map_lock_put(struct map_lock *lock);
void map_lock_acquire(struct map_lock *lock);
void map_lock_release(struct map_lock *lock);

/* Counts the forks between the first process and this one: what carries another number was made
 * by a parent. */
extern _Atomic unsigned int fork_generation;
int fork_generation_watch(void);

/* ---- ring.c */

struct sample;

struct ring {
	PyObject_HEAD
	struct user_ring_buffer *rb;	/* NULL until opened and after the last user of a closed ring */
	struct map_lock *lock;
	int map_fd;			/* ours: a duplicate */
	int wake_fd;			/* eventfd, written once by close to end every wait */
	_Atomic int idle_fd;		/* an epoll descriptor for the next waiter, or -1 */
	const _Atomic uint64_t *consumer_pos;
	_Atomic uint64_t *producer_pos;
	uint8_t *data;			/* mapped twice in a row, so that no sample is ever split */
	uint32_t size;			/* bytes of the data area, a power of two */
	struct sample *reserved;	/* samples neither submitted nor discarded */
	unsigned int users;		/* calls that use the ring without the GIL */
	unsigned int generation;	/* fork_generation of the process that keeps this state */
	bool closed;
	bool seen;			/* a view may outlive the ring: its memory stays mapped */
};

/* Takes the lock; false, with an exception set and the lock released, when the ring is closed. */
bool ring_enter(struct ring *ring);
void ring_leave(struct ring *ring);
/* A call that is about to use the ring without the lock pins it, so that close waits to free. */
void ring_pin(struct ring *ring);
void ring_unpin(struct ring *ring);

/* Bytes that a sample of `size` takes in the ring: its header, itself, and padding to 8. */
static inline uint64_t ring_room(uint64_t size)
{
	return (BPF_RINGBUF_HDR_SZ + size + 7) & ~(uint64_t)7;
}

/* The largest sample that fits an empty ring of this size and that the kernel can drain. */
uint32_t ring_largest(const struct ring *ring);
/* NULL with ENOSPC, E2BIG as libbpf's reserve; the lock must be held. */
void *ring_try_reserve(struct ring *ring, uint32_t size);

/* ---- sample.c */

enum sample_state {
	SAMPLE_RESERVED,
	SAMPLE_SUBMITTED,
	SAMPLE_DISCARDED,
	SAMPLE_DISCARD_PENDING,		/* discarded as soon as the last view of it is released */
	SAMPLE_RING_CLOSED,
	SAMPLE_STATES,
};

struct sample {
	PyObject_HEAD
	struct ring *ring;		/* a reference */
	struct sample *next, **link;	/* among ring->reserved */
	uint8_t *memory;
	uint32_t size;
	unsigned int generation;
	_Atomic uint32_t word;		/* state + SAMPLE_STATES * live buffer exports */
};

extern PyTypeObject *sample_type;
PyTypeObject *sample_type_new(PyObject *module);
/* A sample without memory yet: made before the reservation, so that none is lost to ENOMEM. */
struct sample *sample_new(struct ring *ring, uint32_t size);
/* Gives the sample its reserved memory; the lock must be held. */
void sample_attach(struct sample *sample, void *memory);
/* Ends one sample, RESERVED -> state. -1 with an exception set. */
int sample_finish(struct sample *sample, struct ring *ring, enum sample_state state);
bool sample_has_views(const struct sample *sample);
/* For close, with the lock held: false if a view of the sample is alive and force is not set. */
bool sample_close(struct sample *sample, bool force);

/* ---- wait.c: try, sleep until the consumer has moved, try again */

/* What is tried, with the lock held: 0 is done, an errno is final, EAGAIN (no room) waits. */
typedef int (*ring_attempt)(struct ring *ring, void *what);

/* 0, or the errno of the attempt (EAGAIN when the time is over), or -1 with an exception set.
 * timeout_ms: -1 waits without end, 0 does not wait. A lengthy attempt is made without the GIL. */
int ring_wait(struct ring *ring, ring_attempt attempt, void *what, int timeout_ms, bool lengthy);
/* Parses a timeout in milliseconds; -1 with an exception set when it is none. */
int timeout_parse(PyObject *value, int *timeout_ms);

/* ---- batch.c: many samples written, then published by one store of the producer position */

struct batch {
	const uint8_t *data;
	int64_t length;			/* bytes of data */
	uint32_t size;			/* of every record, when offsets is NULL */
	const void *offsets;		/* Arrow's layout: count + 1 of them, 4 or 8 bytes wide */
	int offset_width;
	uint64_t count, done;		/* records in all, and submitted so far */
};

/* Submits the records that have room now; EAGAIN while some are left, EINVAL at an offset that was
 * valid when the call began. */
int batch_attempt(struct ring *ring, void *batch);
int64_t batch_offset(const struct batch *batch, uint64_t i);

/* ---- docs.h: the docstrings, made from _core.pyi */

#include "docs.h"

/* ---- module.c: exceptions of userrb.errors */

extern PyObject *error_bpf, *error_ring_full, *error_too_large, *error_closed, *error_sample,
	*error_timeout;
PyObject *raise_errno(PyObject *type, int number, const char *format, ...);
PyTypeObject *ring_type_new(PyObject *module);

/* ---- consumer.c: the other direction, which shares nothing with the above */

int reader_type_add(PyObject *module);

#endif

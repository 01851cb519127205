/* SPDX-License-Identifier: MIT */
/* What the C files of userrb._core share: the ring, the sample, the lock, the wait, the batch.
 *
 * Two rules hold everywhere:
 * - What a ring and its samples keep in this process is guarded by the GIL. A call that works
 *   without the GIL stands among the ring's calls meanwhile.
 * - The lock of the map guards what is shared with other processes: the producer position, and
 *   the headers that are written before it moves. It is never held while Python code can run,
 *   nor waited for with the GIL held.
 */
#ifndef USERRB_CORE_H
#define USERRB_CORE_H

/* Before the headers, which say less well what is wrong. */
#if __SIZEOF_POINTER__ < 8
#error "userrb needs a 64-bit machine: a 32-bit process cannot move the ring's 64-bit positions at once"
#endif

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- module.c: what belongs to one import of the module, exceptions of userrb.errors first */

struct core {
	PyObject *bpf_error, *ring_full, *ring_timeout, *too_large, *bad_timeout, *ring_closed,
		*sample_error, *sample_lost;
	PyTypeObject *sample_type;
};

/* That of a ring's type, or of a class derived from it; NULL with an exception set. */
struct core *core_of(PyTypeObject *type);
PyObject *raise_errno(PyObject *type, int number, const char *format, ...);

/* ---- lock.c */

struct producer_lock;

/* The lock in the page of the producer position; NULL with errno set when something else is there. */
struct producer_lock *producer_lock_open(void *producer_page);
/* False if another thread keeps it for longer than some samples take. */
bool producer_lock_try(struct producer_lock *lock);
void producer_lock_release(struct producer_lock *lock);

/* Counts the forks between the first process and this one: what carries another number was made
 * by a parent. */
extern _Atomic unsigned int fork_generation;
int fork_generation_watch(void);

/* ---- ring.c */

struct sample;
struct call;

struct ring {
	PyObject_HEAD
	struct core *core;		/* of the module, which the type keeps */
	struct user_ring_buffer *rb;	/* NULL until opened and after the last user of a closed ring */
	struct producer_lock *lock;
	int map_fd;			/* ours: a duplicate */
	int wake_fd;			/* eventfd, written once by close to end every wait */
	int idle_fd;			/* an epoll descriptor for the next waiter, or -1 */
	const _Atomic uint64_t *consumer_pos;
	_Atomic uint64_t *producer_pos;
	uint8_t *data;			/* mapped twice in a row, so that no sample is ever split */
	uint32_t size;			/* bytes of the data area, a power of two */
	uint32_t owner;			/* written into the headers of reserved samples: see owner.c */
	struct sample *reserved;	/* samples neither submitted nor discarded */
	struct call *calls;		/* those that work without the GIL */
	unsigned int generation;	/* fork_generation of the process that keeps this state */
	_Atomic bool closed;
	bool seen;			/* a view may outlive the ring: its memory stays mapped */
};

/* Every way into the ring begins here: false, with an exception set, when it is closed. */
bool ring_check(struct ring *ring);
/* Lets the state be this process's, if a fork has copied it. */
void ring_renew(struct ring *ring);
/* Unmaps the memory and closes the descriptors of a closed ring. */
void ring_free(struct ring *ring);

/* Bytes that a sample of `size` takes in the ring: its header, itself, and padding to 8. */
static inline uint64_t ring_room(uint64_t size)
{
	return (BPF_RINGBUF_HDR_SZ + size + 7) & ~(uint64_t)7;
}

/* The largest sample that fits an empty ring of this size and that the kernel can drain. */
uint32_t ring_largest(const struct ring *ring);

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
	uint32_t word;			/* state + SAMPLE_STATES * live buffer exports */
};

PyTypeObject *sample_type_new(PyObject *module);
/* A sample without memory yet: made before the reservation, so that none is lost to ENOMEM. */
struct sample *sample_new(struct ring *ring, uint32_t size);
/* Gives the sample its reserved memory. */
void sample_attach(struct sample *sample, void *memory);
/* Ends one sample, RESERVED -> state. -1 with an exception set. */
int sample_finish(struct sample *sample, struct ring *ring, enum sample_state state);
bool sample_has_views(const struct sample *sample);
/* Discards the sample of a ring that closes. */
void sample_close(struct sample *sample);

/* ---- wait.c: try, sleep until the consumer has moved, try again */

/* What is tried with the lock held, with or without the GIL, by the struct that begins with it:
 * 0 is done, an errno is final, EAGAIN (no room) waits. */
struct attempt {
	int (*make)(struct ring *ring, struct attempt *attempt);
	uint8_t *memory;		/* reserved, and not a sample's yet: close takes it away */
};

/* A call that works without the GIL, and how another thread sees that it does. */
struct call {
	struct call *next, **link;	/* among ring->calls */
	struct attempt *attempt;
	pthread_t thread;
	_Atomic bool busy;		/* in the attempt, and the ring was not closed before */
};

void call_forget(struct call *call);

/* Timeouts of an event loop's: */
#define TIMEOUT_NOW -2			/* as 0, and where the lock is taken, there is no room */
#define TIMEOUT_NOT_YET -3		/* as if there was no room */

/* 0, or the errno of the attempt (EAGAIN when the time is over), or -1 with an exception set.
 * timeout_ms: -1 waits without end, 0 does not wait for room, and a moment only for the lock.
 * A lengthy attempt is made without the GIL. */
int ring_wait(struct ring *ring, struct attempt *attempt, int timeout_ms, bool lengthy);
/* Parses a timeout in milliseconds; -1 with an exception set when it is none. */
int timeout_parse(const struct ring *ring, PyObject *value, int *timeout_ms);

/* ---- batch.c: many samples written, then published by one store of the producer position */

struct batch {
	struct attempt attempt;
	const uint8_t *data;
	int64_t length;			/* bytes of data */
	uint32_t size;			/* of every record, when offsets is NULL */
	const void *offsets;		/* Arrow's layout: count + 1 of them, 4 or 8 bytes wide */
	int offset_width;
	uint64_t count, done;		/* records in all, and submitted so far */
};

/* Submits the records that have room now; EAGAIN while some are left, EINVAL at a record with
 * offsets that are none. */
int batch_attempt(struct ring *ring, struct attempt *batch);
int64_t batch_offset(const struct batch *batch, uint64_t i);

/* ---- owner.c: who has reserved a sample */

/* A process, as the unused half of a header names it: its id, and which namespace that is of. */
uint32_t owner_of_this_process(void);

/* ---- docs.h: the docstrings, made from _core.pyi */

#include "docs.h"

PyTypeObject *ring_type_new(PyObject *module);

/* ---- consumer.c: the other direction, which shares nothing with the above */

int reader_type_add(PyObject *module);

#endif

/* SPDX-License-Identifier: MIT */
/* The consumer's end of a kernel ring buffer: finds the samples, for Python to make views of.
 *
 * The position is not stored when a sample is found, as libbpf does, but when the views of it are
 * gone. This is C because a hundred samples have to be found in the time of one call through cffi.
 */
#include "core.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TAKE_MAX 8192

struct reader {
	PyObject_HEAD
	_Atomic uint64_t *consumer_pos;
	const uint8_t *produced;	/* the page with the producer position, and then the data */
	const uint8_t *data;		/* mapped twice in a row, so that no sample is ever split */
	uint32_t page, size;
	uint32_t count;			/* samples that were taken last, and where they are in data */
	uint32_t *starts, *lengths;
	uint64_t position, end;		/* from the first of them to behind the last */
	PyObject *views;		/* what Python's views are of: each of them refers to it */
	Py_ssize_t references;		/* to it, when there are no views */
	PyTypeObject *batch;		/* a class with struct taken as its base */
	unsigned long long turn;	/* counts what was taken */
	unsigned long thread;		/* which took the last */
	atomic_flag busy;
};

/* What one turn took. Python's Batch is a class of its own that has this as its base. */
struct taken {
	PyObject_HEAD
	PyObject *memory;		/* NULL when the ring has gone on */
	PyObject *views;		/* NULL, or a list of those that were handed out */
	Py_ssize_t count;
	unsigned long long turn;
};

/* Nothing static: the types belong to the module of one interpreter. */
static void object_free(PyObject *self, PyTypeObject *type)
{
	((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
	Py_DECREF(type);
}

/* Held for a scan at most, and never while Python code can run. */
static void reader_lock(struct reader *reader)
{
	while (atomic_flag_test_and_set_explicit(&reader->busy, memory_order_acquire))
		;
}

static void reader_unlock(struct reader *reader)
{
	atomic_flag_clear_explicit(&reader->busy, memory_order_release);
}

static uint64_t reader_produced(const struct reader *reader)
{
	return atomic_load((const _Atomic uint64_t *)reader->produced);
}

static uint32_t reader_header(const struct reader *reader, uint64_t position)
{
	const uint8_t *header = reader->data + (position & (reader->size - 1));

	return atomic_load_explicit((const _Atomic uint32_t *)header, memory_order_acquire);
}

/* The store and what is read after it must not be swapped: the kernel wakes a waiter only where it
 * finds that all before its sample was consumed. */
static void reader_store(struct reader *reader)
{
	if (reader->position == reader->end)
		return;
	reader->position = reader->end;
	atomic_store(reader->consumer_pos, reader->position);
}

/* Where a sample is as long as the one before, the processor need not wait for its length to look
 * at the next one: that takes a branch, which it predicts, and no select. */
static void reader_scan(struct reader *reader, uint32_t limit)
{
	uint64_t position = reader->position, produced = reader_produced(reader);
	uint64_t step = BPF_RINGBUF_HDR_SZ;
	uint32_t count = 0, before = 0;

	while (position < produced && count < limit) {
		uint32_t header = reader_header(reader, position);
		uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (length != before) {
			before = length;
			step = ((uint64_t)BPF_RINGBUF_HDR_SZ + length + 7) & ~(uint64_t)7;
			__asm__ volatile("" : "+r"(step));	/* keeps the branch */
		}
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			reader->starts[count] = (position & (reader->size - 1)) + BPF_RINGBUF_HDR_SZ;
			reader->lengths[count++] = length;
		}
		position += step;
	}
	reader->count = count;
	reader->end = position;
}

static PyObject *reader_take(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
	struct reader *reader = (struct reader *)self;
	struct taken *taken, *before;
	unsigned long limit;

	if (count != 3)
		return PyErr_Format(PyExc_TypeError, "take takes 3 arguments (%zd given)", count);
	limit = PyLong_AsUnsignedLong(args[0]);
	if (limit == (unsigned long)-1 && PyErr_Occurred())
		return NULL;
	if (args[2] != Py_None) {
		if (Py_TYPE(args[2]) != reader->batch)
			return PyErr_Format(PyExc_TypeError, "a batch is needed");
		before = (struct taken *)args[2];
		if (before->views || Py_REFCNT(reader->views) > reader->references)
			Py_RETURN_NONE;
		Py_CLEAR(before->memory);
	}
	taken = (struct taken *)PyType_GenericAlloc(reader->batch, 0);
	if (!taken)
		return NULL;
	taken->memory = Py_NewRef(args[1]);
	if (!reader->turn)
		reader->references = Py_REFCNT(reader->views);	/* nothing was handed out before */
	reader_lock(reader);
	reader_store(reader);
	reader_scan(reader, limit < TAKE_MAX ? limit : TAKE_MAX);
	if (!reader->count)
		reader_store(reader);	/* nothing but discarded samples */
	taken->turn = ++reader->turn;
	reader->thread = PyThread_get_thread_ident();
	taken->count = reader->count;
	reader_unlock(reader);
	return (PyObject *)taken;
}

/* Another thread may have taken more since the caller looked: that is not consumed. */
static PyObject *reader_finish(PyObject *self, PyObject *batch)
{
	struct reader *reader = (struct reader *)self;

	if (Py_TYPE(batch) != reader->batch)
		return PyErr_Format(PyExc_TypeError, "a batch is needed");
	reader_lock(reader);
	if (reader->turn == ((struct taken *)batch)->turn)
		reader_store(reader);
	reader_unlock(reader);
	Py_RETURN_NONE;
}

static PyObject *reader_ready(PyObject *self, PyObject *unused)
{
	struct reader *reader = (struct reader *)self;
	bool ready;

	(void)unused;
	reader_lock(reader);
	ready = reader->end < reader_produced(reader) &&
		!(reader_header(reader, reader->end) & BPF_RINGBUF_BUSY_BIT);
	reader_unlock(reader);
	return PyBool_FromLong(ready);
}

/* ---- the samples that were taken last */

static PyObject *reader_span(PyObject *self, PyObject *index)
{
	struct reader *reader = (struct reader *)self;
	unsigned long i = PyLong_AsUnsignedLong(index);

	if (i == (unsigned long)-1 && PyErr_Occurred())
		return NULL;
	if (i >= reader->count) {
		PyErr_SetString(PyExc_IndexError, "no such sample");
		return NULL;
	}
	return Py_BuildValue("II", (unsigned int)reader->starts[i],
			     (unsigned int)reader->lengths[i]);
}

static PyObject *reader_starts(PyObject *self, PyObject *unused)
{
	struct reader *reader = (struct reader *)self;

	(void)unused;
	return PyBytes_FromStringAndSize((char *)reader->starts,
					 reader->count * sizeof(*reader->starts));
}

static PyObject *reader_lengths(PyObject *self, PyObject *unused)
{
	struct reader *reader = (struct reader *)self;

	(void)unused;
	return PyBytes_FromStringAndSize((char *)reader->lengths,
					 reader->count * sizeof(*reader->lengths));
}

static PyObject *reader_copy(PyObject *self, PyObject *unused)
{
	struct reader *reader = (struct reader *)self;
	uint32_t count = reader->count, i;
	Py_ssize_t size = 0;
	PyObject *copy;
	char *next;

	(void)unused;
	for (i = 0; i < count; i++)
		size += reader->lengths[i];
	copy = PyBytes_FromStringAndSize(NULL, size);
	if (!copy)
		return NULL;
	next = PyBytes_AsString(copy);
	for (i = 0; i < count; i++) {
		memcpy(next, reader->data + reader->starts[i], reader->lengths[i]);
		next += reader->lengths[i];
	}
	return copy;
}

/* ---- struct taken */

static PyObject *taken_get_memory(PyObject *self, void *unused)
{
	struct taken *taken = (struct taken *)self;

	(void)unused;
	return Py_NewRef(taken->memory ? taken->memory : Py_None);
}

static PyObject *taken_get_views(PyObject *self, void *unused)
{
	struct taken *taken = (struct taken *)self;

	(void)unused;
	if (!taken->views)
		taken->views = PyList_New(0);
	return Py_XNewRef(taken->views);
}

static PyObject *taken_get_count(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromSsize_t(((struct taken *)self)->count);
}

static PyObject *taken_release(PyObject *self, PyObject *unused)
{
	struct taken *taken = (struct taken *)self;

	(void)unused;
	Py_CLEAR(taken->memory);
	Py_CLEAR(taken->views);
	Py_RETURN_NONE;
}

static void taken_dealloc(PyObject *self)
{
	struct taken *taken = (struct taken *)self;
	PyTypeObject *type = Py_TYPE(self);

	Py_XDECREF(taken->memory);
	Py_XDECREF(taken->views);
	object_free(self, type);
}

static PyMethodDef taken_methods[] = {
	{ "_end", taken_release, METH_NOARGS, DOC_Taken__end },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef taken_properties[] = {
	{ "_memory", taken_get_memory, NULL, DOC_Taken__memory, NULL },
	{ "_views", taken_get_views, NULL, DOC_Taken__views, NULL },
	{ "_count", taken_get_count, NULL, DOC_Taken__count, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot taken_slots[] = {
	{ Py_tp_doc, DOC_Taken },
	{ Py_tp_dealloc, taken_dealloc },
	{ Py_tp_methods, taken_methods },
	{ Py_tp_getset, taken_properties },
	{ 0, NULL },
};

static PyType_Spec taken_spec = {
	.name = "userrb._core.Taken",
	.basicsize = sizeof(struct taken),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION |
		 Py_TPFLAGS_IMMUTABLETYPE,
	.slots = taken_slots,
};

/* ---- struct reader */

static PyObject *reader_get_produced(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(reader_produced((struct reader *)self));
}

static PyObject *reader_get_consumed(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(atomic_load(((struct reader *)self)->consumer_pos));
}

static PyObject *reader_get_mine(PyObject *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(((struct reader *)self)->thread == PyThread_get_thread_ident());
}

static size_t reader_mapped(const struct reader *reader)
{
	return reader->page + 2 * (size_t)reader->size;
}

static int reader_map(struct reader *reader, int fd)
{
	void *positions, *produced;

	positions = mmap(NULL, reader->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (positions == MAP_FAILED)
		return -1;
	reader->consumer_pos = positions;
	produced = mmap(NULL, reader_mapped(reader), PROT_READ, MAP_SHARED, fd, reader->page);
	if (produced == MAP_FAILED)
		return -1;
	reader->produced = produced;
	reader->data = reader->produced + reader->page;
	return 0;
}

/* False with an exception set. */
static bool is_batch_type(PyObject *module, PyObject *batch)
{
	PyObject *taken = module ? PyObject_GetAttrString(module, "Taken") : NULL;
	int result;

	if (!taken)
		return false;
	result = PyObject_IsSubclass(batch, taken);
	Py_DECREF(taken);
	if (!result)
		PyErr_SetString(PyExc_TypeError, "a class of batches is needed");
	return result == 1;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
	uint32_t room;
	PyObject *views, *batch;
	unsigned int size;
	struct reader *reader;
	int fd;

	(void)keywords;
	if (!PyArg_ParseTuple(args, "iIOO", &fd, &size, &views, &batch))
		return NULL;
	if (!is_batch_type(PyType_GetModule(type), batch))
		return NULL;
	reader = (struct reader *)PyType_GenericAlloc(type, 0);
	if (!reader)
		return NULL;
	reader->page = sysconf(_SC_PAGESIZE);
	reader->size = size;
	room = size / 8 < TAKE_MAX ? size / 8 : TAKE_MAX;
	reader->starts = PyMem_Calloc(room, sizeof(*reader->starts));
	reader->lengths = PyMem_Calloc(room, sizeof(*reader->lengths));
	if (!reader->starts || !reader->lengths)
		PyErr_NoMemory();
	else if (reader_map(reader, fd))
		PyErr_SetFromErrno(PyExc_OSError);
	else {
		reader->position = reader->end = atomic_load(reader->consumer_pos);
		reader->batch = (PyTypeObject *)Py_NewRef(batch);
		reader->views = Py_NewRef(views);
		return (PyObject *)reader;
	}
	Py_DECREF((PyObject *)reader);
	return NULL;
}

static void reader_dealloc(PyObject *self)
{
	struct reader *reader = (struct reader *)self;
	PyTypeObject *type = Py_TYPE(self);

	if (reader->produced)
		munmap((void *)reader->produced, reader_mapped(reader));
	if (reader->consumer_pos)
		munmap((void *)reader->consumer_pos, reader->page);
	PyMem_Free(reader->starts);
	PyMem_Free(reader->lengths);
	Py_XDECREF(reader->views);
	Py_XDECREF((PyObject *)reader->batch);
	object_free(self, type);
}

static PyMethodDef reader_methods[] = {
	{ "take", (PyCFunction)(void (*)(void))reader_take, METH_FASTCALL, DOC_Reader_take },
	{ "finish", reader_finish, METH_O, DOC_Reader_finish },
	{ "ready", reader_ready, METH_NOARGS, DOC_Reader_ready },
	{ "span", reader_span, METH_O, DOC_Reader_span },
	{ "starts", reader_starts, METH_NOARGS, DOC_Reader_starts },
	{ "lengths", reader_lengths, METH_NOARGS, DOC_Reader_lengths },
	{ "copy", reader_copy, METH_NOARGS, DOC_Reader_copy },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef reader_properties[] = {
	{ "produced", reader_get_produced, NULL, DOC_Reader_produced, NULL },
	{ "consumed", reader_get_consumed, NULL, DOC_Reader_consumed, NULL },
	{ "mine", reader_get_mine, NULL, DOC_Reader_mine, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot reader_slots[] = {
	{ Py_tp_doc, DOC_Reader },
	{ Py_tp_new, reader_new },
	{ Py_tp_dealloc, reader_dealloc },
	{ Py_tp_methods, reader_methods },
	{ Py_tp_getset, reader_properties },
	{ 0, NULL },
};

static PyType_Spec reader_spec = {
	.name = "userrb._core.Reader",
	.basicsize = sizeof(struct reader),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = reader_slots,
};

static int type_add(PyObject *module, PyType_Spec *spec)
{
	PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
	int result;

	if (!type)
		return -1;
	result = PyModule_AddType(module, (PyTypeObject *)type);
	Py_DECREF(type);
	return result;
}

/* -1 with an exception set. */
int reader_type_add(PyObject *module)
{
	return type_add(module, &taken_spec) ? -1 : type_add(module, &reader_spec);
}

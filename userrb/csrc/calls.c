/* SPDX-License-Identifier: MIT */
/* The calls on an open ring, as Python sees them. */
#include "core.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

PyObject *ring_close(PyObject *self, PyObject *unused);
PyObject *ring_close_at_exit(PyObject *self, PyObject *unused);
int ring_init(PyObject *self, PyObject *args, PyObject *kwargs);
void ring_dealloc(PyObject *self);

/* ---- arguments: METH_FASTCALL, for which the limited API has no parser */

#define PARAMETERS_MAX 5

struct signature {
	const char *name;
	int required, positional, total;
	const char *parameters[PARAMETERS_MAX];
};

static bool parse(const struct signature *signature, PyObject *const *args, Py_ssize_t count,
		  PyObject *keywords, PyObject **values)
{
	Py_ssize_t i, named = keywords ? PyTuple_Size(keywords) : 0;
	int k;

	if (count > signature->positional) {
		PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments (%zd given)",
			     signature->name, signature->positional, count);
		return false;
	}
	for (k = 0; k < signature->total; k++)
		values[k] = k < count ? args[k] : NULL;
	for (i = 0; i < named; i++) {
		PyObject *keyword = PyTuple_GetItem(keywords, i);

		for (k = 0; k < signature->total; k++)
			if (PyUnicode_CompareWithASCIIString(keyword, signature->parameters[k]) == 0)
				break;
		if (k == signature->total || values[k]) {
			PyErr_Format(PyExc_TypeError, "%s() got %s argument '%U'", signature->name,
				     k == signature->total ? "an unexpected keyword" :
				     "multiple values for", keyword);
			return false;
		}
		values[k] = args[count + i];
	}
	for (k = 0; k < signature->required; k++)
		if (!values[k]) {
			PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'",
				     signature->name, signature->parameters[k]);
			return false;
		}
	return true;
}

static bool size_check(const struct ring *ring, Py_ssize_t size)
{
	if (size < 0) {
		PyErr_SetString(PyExc_ValueError, "size is a number of bytes, 0 or more");
		return false;
	}
	if (ring->lock && (uint64_t)size > ring_largest(ring)) {
		raise_errno(error_too_large, E2BIG, "a sample of %zd bytes never fits this ring of "
			    "%u bytes: the largest that can be drained is %u bytes", size,
			    (unsigned int)ring->size, (unsigned int)ring_largest(ring));
		return false;
	}
	return true;
}

static bool size_parse(const struct ring *ring, PyObject *value, uint32_t *size)
{
	/* A size beyond Py_ssize_t is clipped: too large all the same. */
	Py_ssize_t bytes = PyNumber_AsSsize_t(value, NULL);

	if ((bytes == -1 && PyErr_Occurred()) || !size_check(ring, bytes))
		return false;
	*size = (uint32_t)bytes;
	return true;
}

/* What an attempt's errno means to Python; always NULL. */
static PyObject *raise_attempt(const struct ring *ring, int result, Py_ssize_t size, int timeout_ms)
{
	if (result == EAGAIN && timeout_ms == 0)
		return raise_errno(error_ring_full, ENOSPC, "no room for a sample of %zd bytes in "
				   "the ring of %u bytes", size, (unsigned int)ring->size);
	if (result == EAGAIN)
		return raise_errno(error_ring_full, ENOSPC, "no room for a sample of %zd bytes in "
				   "the ring of %u bytes within %d ms", size,
				   (unsigned int)ring->size, timeout_ms);
	if (result > 0)
		return raise_errno(error_bpf, result, "reserving a sample of %zd bytes: %s", size,
				   strerror(result));
	return NULL;
}

/* ---- reserve */

struct reservation {
	struct sample *sample;
	uint32_t size;
};

static int reserve_attempt(struct ring *ring, void *what)
{
	struct reservation *reservation = what;
	void *memory = ring_try_reserve(ring, reservation->size);

	if (!memory)
		return errno == ENOSPC ? EAGAIN : errno;
	sample_attach(reservation->sample, memory);
	return 0;
}

static PyObject *reserve_within(struct ring *ring, PyObject *size, int timeout_ms)
{
	struct reservation reservation;
	int result;

	if (!size_parse(ring, size, &reservation.size))
		return NULL;
	reservation.sample = sample_new(ring, reservation.size);
	if (!reservation.sample)
		return NULL;
	result = ring_wait(ring, reserve_attempt, &reservation, timeout_ms, false);
	if (result == 0)
		return (PyObject *)reservation.sample;
	Py_DECREF(reservation.sample);
	return raise_attempt(ring, result, reservation.size, timeout_ms);
}

static PyObject *ring_reserve(PyObject *self, PyObject *const *args, Py_ssize_t count,
			      PyObject *keywords)
{
	static const struct signature signature = { "reserve", 1, 1, 1, { "size" } };
	PyObject *values[PARAMETERS_MAX];

	if (!parse(&signature, args, count, keywords, values))
		return NULL;
	return reserve_within((struct ring *)self, values[0], 0);
}

static PyObject *ring_reserve_blocking(PyObject *self, PyObject *const *args, Py_ssize_t count,
				       PyObject *keywords)
{
	static const struct signature signature = {
		"reserve_blocking", 1, 2, 2, { "size", "timeout_ms" }
	};
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms = -1;

	if (!parse(&signature, args, count, keywords, values) ||
	    (values[1] && timeout_parse(values[1], &timeout_ms)))
		return NULL;
	return reserve_within((struct ring *)self, values[0], timeout_ms);
}

/* ---- submit and discard */

static PyObject *finish(PyObject *self, PyObject *sample, enum sample_state state)
{
	if (!Py_IS_TYPE(sample, sample_type)) {
		PyErr_Format(PyExc_TypeError, "a sample that reserve() returned is expected, not %R",
			     Py_TYPE(sample));
		return NULL;
	}
	if (sample_finish((struct sample *)sample, (struct ring *)self, state))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *ring_submit(PyObject *self, PyObject *sample)
{
	return finish(self, sample, SAMPLE_SUBMITTED);
}

static PyObject *ring_discard(PyObject *self, PyObject *sample)
{
	return finish(self, sample, SAMPLE_DISCARDED);
}

/* ---- write: a batch of one, so that a process that is killed in it leaves no sample reserved */

static PyObject *ring_write(PyObject *self, PyObject *const *args, Py_ssize_t count,
			    PyObject *keywords)
{
	static const struct signature signature = { "write", 1, 2, 2, { "data", "timeout_ms" } };
	struct ring *ring = (struct ring *)self;
	struct batch batch = { .count = 1 };
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms = 0, result;
	Py_buffer data;

	if (!parse(&signature, args, count, keywords, values) ||
	    (values[1] && timeout_parse(values[1], &timeout_ms)) ||
	    PyObject_GetBuffer(values[0], &data, PyBUF_SIMPLE))
		return NULL;
	if (!size_check(ring, data.len)) {
		PyBuffer_Release(&data);
		return NULL;
	}
	batch.data = data.buf;
	batch.size = data.len;
	batch.length = data.len;
	result = ring_wait(ring, batch_attempt, &batch, timeout_ms, false);
	PyBuffer_Release(&data);
	if (result == 0)
		Py_RETURN_NONE;
	return raise_attempt(ring, result, data.len, timeout_ms);
}

/* ---- submit_many */

/* Below this a batch is written before the GIL could be given away and taken again. */
#define LENGTHY (16 * 1024)

static bool records_fixed(const struct ring *ring, struct batch *batch, PyObject *records,
			  PyObject *size, const Py_buffer *data)
{
	if (size) {
		if (!size_parse(ring, size, &batch->size))
			return false;
	} else if (PyBytes_Check(records) || PyByteArray_Check(records)) {
		PyErr_SetString(PyExc_ValueError, "bytes have no records: give size=, the bytes of "
				"each, or offsets=");
		return false;
	} else if (!size_check(ring, data->itemsize)) {
		return false;
	} else {
		batch->size = data->itemsize;
	}
	if (batch->size == 0) {
		PyErr_SetString(PyExc_ValueError, "a record of 0 bytes cannot be counted: use write");
		return false;
	}
	if (data->len % batch->size) {
		PyErr_Format(PyExc_ValueError, "%zd bytes are not a whole number of records of %u "
			     "bytes", data->len, (unsigned int)batch->size);
		return false;
	}
	batch->count = data->len / batch->size;
	return true;
}

static bool records_variable(const struct ring *ring, struct batch *batch, const Py_buffer *data,
			     const Py_buffer *offsets)
{
	int64_t end, start = 0;
	Py_ssize_t i, items;

	if ((offsets->itemsize != 4 && offsets->itemsize != 8) || !offsets->format ||
	    !strchr("ilqILQn", offsets->format[strlen(offsets->format) - 1])) {
		PyErr_SetString(PyExc_ValueError, "offsets are 32 or 64 bit integers");
		return false;
	}
	items = offsets->len / offsets->itemsize;
	if (items == 0) {
		PyErr_SetString(PyExc_ValueError, "offsets are one more than the records: the last "
				"one ends the last record");
		return false;
	}
	batch->offsets = offsets->buf;
	batch->offset_width = offsets->itemsize;
	batch->count = items - 1;
	for (i = 0; i < items; i++, start = end) {
		end = batch_offset(batch, i);
		if (end < start || end > data->len) {
			PyErr_Format(PyExc_ValueError, "offset %zd is %lld: offsets must not decrease "
				     "nor go beyond the %zd bytes of data", i, (long long)end,
				     data->len);
			return false;
		}
		if (i && !size_check(ring, end - start))
			return false;
	}
	return true;
}

/* Lets the exception that is set say how many records were submitted before it; NULL. */
static PyObject *note_submitted(uint64_t submitted)
{
	PyObject *type, *value, *traceback, *count;

	PyErr_Fetch(&type, &value, &traceback);
	PyErr_NormalizeException(&type, &value, &traceback);
	count = PyLong_FromUnsignedLongLong(submitted);
	/* An exception that takes no attribute is raised without. */
	if (!count || PyObject_SetAttrString(value, "submitted", count))
		PyErr_Clear();
	Py_XDECREF(count);
	PyErr_Restore(type, value, traceback);
	return NULL;
}

static PyObject *submit_batch(struct ring *ring, struct batch *batch, const Py_buffer *data,
			      uint64_t start, int timeout_ms)
{
	int result;

	batch->data = data->buf;
	batch->length = data->len;
	batch->done = start;
	/* An empty batch still tells that the ring is closed. */
	result = ring_wait(ring, batch_attempt, batch, timeout_ms, data->len >= LENGTHY);
	if (result == EINVAL)
		PyErr_Format(PyExc_ValueError, "the offsets of record %llu changed during the call; "
			     "the records before it were submitted",
			     (unsigned long long)batch->done);
	if (result < 0 || result == EINVAL)
		return note_submitted(batch->done - start);
	return PyLong_FromUnsignedLongLong(batch->done - start);
}

static PyObject *ring_submit_many(PyObject *self, PyObject *const *args, Py_ssize_t count,
				  PyObject *keywords)
{
	static const struct signature signature = {
		"submit_many", 1, 3, 5, { "records", "size", "timeout_ms", "offsets", "start" }
	};
	struct ring *ring = (struct ring *)self;
	PyObject *values[PARAMETERS_MAX], *result = NULL;
	Py_buffer data, offsets = { .obj = NULL };
	struct batch batch = { .done = 0 };
	Py_ssize_t start = 0;
	int timeout_ms = 0;
	bool valid;

	if (!parse(&signature, args, count, keywords, values) ||
	    (values[2] && timeout_parse(values[2], &timeout_ms)))
		return NULL;
	if (values[4]) {
		start = PyNumber_AsSsize_t(values[4], PyExc_OverflowError);
		if (start == -1 && PyErr_Occurred())
			return NULL;
	}
	if (values[1] == Py_None)
		values[1] = NULL;
	if (values[3] == Py_None)
		values[3] = NULL;
	if (values[1] && values[3]) {
		PyErr_SetString(PyExc_ValueError, "give size= or offsets=, not both");
		return NULL;
	}
	if (values[3] && PyObject_GetBuffer(values[3], &offsets, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS))
		return NULL;
	if (PyObject_GetBuffer(values[0], &data, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) == 0) {
		valid = values[3] ? records_variable(ring, &batch, &data, &offsets) :
			records_fixed(ring, &batch, values[0], values[1], &data);
		if (valid && (start < 0 || (uint64_t)start > batch.count))
			PyErr_Format(PyExc_ValueError, "start is %zd, and there are %llu records",
				     start, (unsigned long long)batch.count);
		else if (valid)
			result = submit_batch(ring, &batch, &data, start, timeout_ms);
		PyBuffer_Release(&data);
	}
	if (offsets.obj)
		PyBuffer_Release(&offsets);
	return result;
}

/* ---- what the ring is */

static PyObject *get_size(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLong(((struct ring *)self)->size);
}

static PyObject *get_closed(PyObject *self, void *unused)
{
	struct ring *ring = (struct ring *)self;

	(void)unused;
	return PyBool_FromLong(!ring->lock || ring->closed);
}

static PyObject *get_position(PyObject *self, void *of_producer)
{
	struct ring *ring = (struct ring *)self;
	uint64_t position;

	if (!ring_enter(ring))
		return NULL;
	position = atomic_load(of_producer ? ring->producer_pos : ring->consumer_pos);
	ring_leave(ring);
	return PyLong_FromUnsignedLongLong(position);
}

static PyObject *ring_fileno(PyObject *self, PyObject *unused)
{
	struct ring *ring = (struct ring *)self;
	int map_fd;

	(void)unused;
	if (!ring_enter(ring))
		return NULL;
	map_fd = ring->map_fd;
	ring_leave(ring);
	return PyLong_FromLong(map_fd);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef ring_methods[] = {
	{ "reserve", FAST(ring_reserve), METH_FASTCALL | METH_KEYWORDS, DOC_Ring_reserve },
	{ "reserve_blocking", FAST(ring_reserve_blocking), METH_FASTCALL | METH_KEYWORDS,
	  DOC_Ring_reserve_blocking },
	{ "submit", ring_submit, METH_O, DOC_Ring_submit },
	{ "discard", ring_discard, METH_O, DOC_Ring_discard },
	{ "write", FAST(ring_write), METH_FASTCALL | METH_KEYWORDS, DOC_Ring_write },
	{ "submit_many", FAST(ring_submit_many), METH_FASTCALL | METH_KEYWORDS,
	  DOC_Ring_submit_many },
	{ "fileno", ring_fileno, METH_NOARGS, DOC_Ring_fileno },
	{ "close", ring_close, METH_NOARGS, DOC_Ring_close },
	{ "_close_at_exit", ring_close_at_exit, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef ring_getset[] = {
	{ "size", get_size, NULL, DOC_Ring_size, NULL },
	{ "closed", get_closed, NULL, DOC_Ring_closed, NULL },
	{ "producer_position", get_position, NULL, DOC_Ring_producer_position, "producer" },
	{ "consumer_position", get_position, NULL, DOC_Ring_consumer_position, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot ring_slots[] = {
	{ Py_tp_methods, ring_methods },
	{ Py_tp_getset, ring_getset },
	{ Py_tp_init, ring_init },
	{ Py_tp_dealloc, ring_dealloc },
	{ 0, NULL },
};

static PyType_Spec ring_spec = {
	.name = "userrb._core.Ring",
	.basicsize = sizeof(struct ring),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = ring_slots,
};

PyTypeObject *ring_type_new(PyObject *module)
{
	return (PyTypeObject *)PyType_FromModuleAndSpec(module, &ring_spec, NULL);
}

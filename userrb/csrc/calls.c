/* SPDX-License-Identifier: MIT */
/* The calls on an open ring, as Python sees them. */
#include "core.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

PyObject *ring_close(PyObject *self, PyObject *unused);
PyObject *ring_close_at_exit(PyObject *self, PyObject *unused);
PyObject *ring_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
int ring_init(PyObject *self, PyObject *args, PyObject *kwargs);
void ring_dealloc(PyObject *self);

/* ---- arguments: METH_FASTCALL, for which the limited API has no parser */

#define PARAMETERS_MAX 6

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
		PyErr_SetString(PyExc_ValueError, "size must be 0 bytes or more");
		return false;
	}
	if (ring->lock && (uint64_t)size > ring_largest(ring)) {
		raise_errno(ring->core->too_large, E2BIG, "a sample of %zd bytes can never fit in this ring "
			    "of %u bytes: the largest sample is %u bytes", size,
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
	if (result == EAGAIN && timeout_ms > 0)
		return raise_errno(ring->core->ring_timeout, ENOSPC, "no room for a sample of %zd "
				   "bytes in the ring of %u bytes within %d ms", size,
				   (unsigned int)ring->size, timeout_ms);
	if (result == EAGAIN)
		return raise_errno(ring->core->ring_full, ENOSPC, "no room for a sample of %zd bytes "
				   "in the ring of %u bytes", size, (unsigned int)ring->size);
	if (result > 0)
		return raise_errno(ring->core->bpf_error, result, "reserving a sample of %zd bytes: %s",
				   size, strerror(result));
	return NULL;
}

/* ---- the calls of an event loop: they never wait, and before their turn find no room */

static bool turn_parse(PyObject *value, int *timeout_ms)
{
	int turn = PyObject_IsTrue(value);

	*timeout_ms = turn ? TIMEOUT_NOW : TIMEOUT_NOT_YET;
	return turn >= 0;
}

/* ---- reserve */

struct reservation {
	struct attempt attempt;
	uint32_t size;
};

static int reserve_attempt(struct ring *ring, struct attempt *attempt)
{
	uint32_t size = ((struct reservation *)attempt)->size;
	uint32_t *memory = user_ring_buffer__reserve(ring->rb, size);

	if (!memory)
		return errno == ENOSPC ? EAGAIN : errno;
	memory[-1] = ring->owner;	/* the half of the header that nobody reads but `positions` */
	attempt->memory = (uint8_t *)memory;
	return 0;
}

static PyObject *reserve_within(struct ring *ring, PyObject *size, int timeout_ms)
{
	struct reservation reservation = { .attempt = { .make = reserve_attempt } };
	struct sample *sample;
	int result;

	if (!size_parse(ring, size, &reservation.size))
		return NULL;
	sample = sample_new(ring, reservation.size);
	if (!sample)
		return NULL;
	result = ring_wait(ring, &reservation.attempt, timeout_ms, false);
	if (result == 0 && reservation.attempt.memory) {
		sample_attach(sample, reservation.attempt.memory);
		return (PyObject *)sample;
	}
	Py_DECREF(sample);
	if (result == 0)	/* between the reservation and this */
		PyErr_SetString(ring->core->ring_closed, "the ring was closed by another thread");
	return raise_attempt(ring, result, reservation.size, timeout_ms);
}

static PyObject *ring_reserve_now(PyObject *self, PyObject *const *args, Py_ssize_t count,
				  PyObject *keywords)
{
	static const struct signature signature = { "_reserve_now", 2, 2, 2, { "size", "turn" } };
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms;

	if (!parse(&signature, args, count, keywords, values) || !turn_parse(values[1], &timeout_ms))
		return NULL;
	return reserve_within((struct ring *)self, values[0], timeout_ms);
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
	struct ring *ring = (struct ring *)self;
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms = -1;

	if (!parse(&signature, args, count, keywords, values) ||
	    (values[1] && timeout_parse(ring, values[1], &timeout_ms)))
		return NULL;
	return reserve_within(ring, values[0], timeout_ms);
}

/* ---- submit and discard */

static PyObject *finish(PyObject *self, PyObject *sample, enum sample_state state)
{
	if (!Py_IS_TYPE(sample, ((struct ring *)self)->core->sample_type)) {
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

static PyObject *write_within(struct ring *ring, PyObject *buffer, int timeout_ms)
{
	struct batch batch = { .attempt = { .make = batch_attempt }, .count = 1 };
	Py_buffer data;
	int result;

	if (PyObject_GetBuffer(buffer, &data, PyBUF_SIMPLE))
		return NULL;
	if (!size_check(ring, data.len)) {
		PyBuffer_Release(&data);
		return NULL;
	}
	batch.data = data.buf;
	batch.size = data.len;
	batch.length = data.len;
	result = ring_wait(ring, &batch.attempt, timeout_ms, false);
	PyBuffer_Release(&data);
	if (result == 0)
		Py_RETURN_NONE;
	return raise_attempt(ring, result, batch.length, timeout_ms);
}

static PyObject *ring_write(PyObject *self, PyObject *const *args, Py_ssize_t count,
			    PyObject *keywords)
{
	static const struct signature signature = { "write", 1, 2, 2, { "data", "timeout_ms" } };
	struct ring *ring = (struct ring *)self;
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms = 0;

	if (!parse(&signature, args, count, keywords, values) ||
	    (values[1] && timeout_parse(ring, values[1], &timeout_ms)))
		return NULL;
	return write_within(ring, values[0], timeout_ms);
}

static PyObject *ring_write_now(PyObject *self, PyObject *const *args, Py_ssize_t count,
				PyObject *keywords)
{
	static const struct signature signature = { "_write_now", 2, 2, 2, { "data", "turn" } };
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms;

	if (!parse(&signature, args, count, keywords, values) || !turn_parse(values[1], &timeout_ms))
		return NULL;
	return write_within((struct ring *)self, values[0], timeout_ms);
}

/* ---- submit_many */

/* Below this a batch is written before the GIL could be given away and taken again. */
#define LENGTHY (16 * 1024)

static bool records_fixed(const struct ring *ring, struct batch *batch, PyObject *size,
			  const Py_buffer *data)
{
	if (size) {
		if (!size_parse(ring, size, &batch->size))
			return false;
	} else if (data->itemsize == 1) {
		PyErr_SetString(PyExc_ValueError, "bytes have no records: give size=, the bytes of "
				"each (1 for single bytes), or offsets=");
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

/* Raises for the offset that ends record `i - 1`, if it is none; the one before it is one. */
static bool offset_check(const struct ring *ring, const struct batch *batch, uint64_t i)
{
	int64_t start = i ? batch_offset(batch, i - 1) : 0, end = batch_offset(batch, i);

	if (end < start || end > batch->length) {
		PyErr_Format(PyExc_ValueError, "offset %llu is %lld: offsets must not decrease nor go "
			     "beyond the %lld bytes of data", (unsigned long long)i, (long long)end,
			     (long long)batch->length);
		return false;
	}
	return i == 0 || size_check(ring, end - start);
}

/* `checked`: what is left of a batch that was checked before. To look at all of it whenever some
 * records find room would take the square of their number. */
static bool records_variable(const struct ring *ring, struct batch *batch, const Py_buffer *offsets,
			     bool checked)
{
	uint64_t i;

	if ((offsets->itemsize != 4 && offsets->itemsize != 8) || !offsets->format ||
	    !strchr("ilqILQn", offsets->format[strlen(offsets->format) - 1])) {
		PyErr_SetString(PyExc_ValueError, "offsets must be 32 or 64 bit integers");
		return false;
	}
	if (offsets->len == 0) {
		PyErr_SetString(PyExc_ValueError, "offsets must be one more than the records: the "
				"last one ends the last record");
		return false;
	}
	batch->offsets = offsets->buf;
	batch->offset_width = offsets->itemsize;
	batch->count = offsets->len / offsets->itemsize - 1;
	for (i = 0; !checked && i <= batch->count; i++)
		if (!offset_check(ring, batch, i))
			return false;
	return true;
}

/* Says what is wrong with the offsets of the record at which the batch ended. */
static void raise_offsets(const struct ring *ring, const struct batch *batch, bool checked)
{
	if (checked || (offset_check(ring, batch, batch->done) &&
			offset_check(ring, batch, batch->done + 1)))
		PyErr_Format(PyExc_ValueError, "the offsets of record %llu changed during the call",
			     (unsigned long long)batch->done);
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

static PyObject *submit_batch(struct ring *ring, struct batch *batch, uint64_t start, int timeout_ms)
{
	int result;

	batch->done = start;
	/* An empty batch still tells that the ring is closed. */
	result = ring_wait(ring, &batch->attempt, timeout_ms, batch->length >= LENGTHY);
	if (result == EINVAL)
		raise_offsets(ring, batch, start == 0);
	if (result < 0 || result == EINVAL)
		return note_submitted(batch->done - start);
	return PyLong_FromUnsignedLongLong(batch->done - start);
}

struct records {
	PyObject *buffer, *size, *offsets, *start;	/* as Python has them, or NULL */
	bool checked;
};

static PyObject *submit_records(struct ring *ring, const struct records *records,
				const Py_buffer *data, const Py_buffer *offsets, int timeout_ms)
{
	struct batch batch = { .attempt = { .make = batch_attempt }, .data = data->buf,
			       .length = data->len };
	Py_ssize_t start = 0;

	if (records->start) {
		start = PyNumber_AsSsize_t(records->start, PyExc_OverflowError);
		if (start == -1 && PyErr_Occurred())
			return NULL;
	}
	if (offsets ? !records_variable(ring, &batch, offsets, records->checked || start > 0) :
	    !records_fixed(ring, &batch, records->size, data))
		return NULL;
	if (start < 0 || (uint64_t)start > batch.count)
		return PyErr_Format(PyExc_ValueError, "start is %zd, but there are %llu records", start,
				    (unsigned long long)batch.count);
	return submit_batch(ring, &batch, start, timeout_ms);
}

static PyObject *submit_within(struct ring *ring, struct records *records, int timeout_ms)
{
	PyObject *result = NULL;
	Py_buffer data, offsets;

	if (records->size == Py_None)
		records->size = NULL;
	if (records->offsets == Py_None)
		records->offsets = NULL;
	if (records->size && records->offsets) {
		PyErr_SetString(PyExc_ValueError, "give size= or offsets=, not both");
		return NULL;
	}
	if (PyObject_GetBuffer(records->buffer, &data, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS))
		return NULL;
	if (!records->offsets) {
		result = submit_records(ring, records, &data, NULL, timeout_ms);
	} else if (PyObject_GetBuffer(records->offsets, &offsets,
				      PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) == 0) {
		result = submit_records(ring, records, &data, &offsets, timeout_ms);
		PyBuffer_Release(&offsets);
	}
	PyBuffer_Release(&data);
	return result;
}

static PyObject *ring_submit_many(PyObject *self, PyObject *const *args, Py_ssize_t count,
				  PyObject *keywords)
{
	static const struct signature signature = {
		"submit_many", 1, 3, 5, { "records", "size", "timeout_ms", "offsets", "start" }
	};
	struct ring *ring = (struct ring *)self;
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms = 0;

	if (!parse(&signature, args, count, keywords, values) ||
	    (values[2] && timeout_parse(ring, values[2], &timeout_ms)))
		return NULL;
	return submit_within(ring, &(struct records) { .buffer = values[0], .size = values[1],
			     .offsets = values[3], .start = values[4] }, timeout_ms);
}

static PyObject *ring_submit_many_now(PyObject *self, PyObject *const *args, Py_ssize_t count,
				      PyObject *keywords)
{
	static const struct signature signature = {
		"_submit_many_now", 6, 6, 6,
		{ "records", "size", "offsets", "start", "checked", "turn" }
	};
	PyObject *values[PARAMETERS_MAX];
	int timeout_ms, checked;

	if (!parse(&signature, args, count, keywords, values) || !turn_parse(values[5], &timeout_ms))
		return NULL;
	checked = PyObject_IsTrue(values[4]);
	if (checked < 0)
		return NULL;
	return submit_within((struct ring *)self, &(struct records) { .buffer = values[0],
			     .size = values[1], .offsets = values[2], .start = values[3],
			     .checked = checked }, timeout_ms);
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

	if (!ring_check(ring))
		return NULL;
	return PyLong_FromUnsignedLongLong(atomic_load(of_producer ? ring->producer_pos :
						       ring->consumer_pos));
}

static PyObject *get_free(PyObject *self, void *unused)
{
	struct ring *ring = (struct ring *)self;
	uint64_t consumed, used;

	(void)unused;
	if (!ring_check(ring))
		return NULL;
	/* The consumer's first: it may move meanwhile, and then more is free than this says. */
	consumed = atomic_load(ring->consumer_pos);
	used = atomic_load(ring->producer_pos) - consumed;
	return PyLong_FromUnsignedLongLong(used < ring->size ? ring->size - used : 0);
}

static PyObject *ring_fileno(PyObject *self, PyObject *unused)
{
	struct ring *ring = (struct ring *)self;

	(void)unused;
	if (!ring_check(ring))
		return NULL;
	return PyLong_FromLong(ring->map_fd);
}

/* Discards what another process has left reserved, unless its header has changed meanwhile. */
static PyObject *ring_discard_at(PyObject *self, PyObject *args)
{
	struct ring *ring = (struct ring *)self;
	unsigned long long position;
	unsigned int word;
	uint32_t expected;

	if (!PyArg_ParseTuple(args, "KI", &position, &word) || !ring_check(ring))
		return NULL;
	expected = word;
	if (position % 8 || !(word & BPF_RINGBUF_BUSY_BIT) ||
	    position - atomic_load(ring->consumer_pos) >= ring->size)
		Py_RETURN_FALSE;
	return PyBool_FromLong(atomic_compare_exchange_strong(
		(_Atomic uint32_t *)(ring->data + (position & (ring->size - 1))), &expected,
		(word & ~BPF_RINGBUF_BUSY_BIT) | BPF_RINGBUF_DISCARD_BIT));
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
	{ "_reserve_now", FAST(ring_reserve_now), METH_FASTCALL | METH_KEYWORDS, NULL },
	{ "_write_now", FAST(ring_write_now), METH_FASTCALL | METH_KEYWORDS, NULL },
	{ "_submit_many_now", FAST(ring_submit_many_now), METH_FASTCALL | METH_KEYWORDS, NULL },
	{ "_discard_at", ring_discard_at, METH_VARARGS, NULL },
	{ "_close_at_exit", ring_close_at_exit, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef ring_getset[] = {
	{ "size", get_size, NULL, DOC_Ring_size, NULL },
	{ "free", get_free, NULL, DOC_Ring_free, NULL },
	{ "closed", get_closed, NULL, DOC_Ring_closed, NULL },
	{ "producer_position", get_position, NULL, DOC_Ring_producer_position, "producer" },
	{ "consumer_position", get_position, NULL, DOC_Ring_consumer_position, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot ring_slots[] = {
	{ Py_tp_methods, ring_methods },
	{ Py_tp_getset, ring_getset },
	{ Py_tp_new, ring_new },
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

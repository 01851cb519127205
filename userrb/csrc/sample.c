/* SPDX-License-Identifier: MIT */
/* A reserved sample: a writable buffer that counts its views.
 *
 * The count is why this is a C type. memoryview.release() does not reach slices already taken of
 * the view, and they would write into memory that the kernel, or the next sample, owns by then.
 * Here submit refuses while a view is alive.
 */
#include "core.h"

#include <string.h>

#define EXPORT SAMPLE_STATES

static const char *const state_words[SAMPLE_STATES] = {
	[SAMPLE_SUBMITTED] = "the sample was already submitted",
	[SAMPLE_DISCARDED] = "the sample was already discarded",
	[SAMPLE_DISCARD_PENDING] = "the sample was already discarded",
	[SAMPLE_RING_CLOSED] = "the ring was closed, which discarded the sample",
};

static enum sample_state sample_state(uint32_t word)
{
	return word % EXPORT;
}

struct sample *sample_new(struct ring *ring, uint32_t size)
{
	struct sample *sample = (struct sample *)PyType_GenericAlloc(ring->core->sample_type, 0);

	if (!sample)
		return NULL;
	Py_INCREF((PyObject *)ring);
	sample->ring = ring;
	sample->size = size;
	sample->word = SAMPLE_DISCARDED;
	return sample;
}

void sample_attach(struct sample *sample, void *memory)
{
	struct ring *ring = sample->ring;

	sample->memory = memory;
	sample->generation = fork_generation;
	sample->next = ring->reserved;
	sample->link = &ring->reserved;
	if (sample->next)
		sample->next->link = &sample->next;
	ring->reserved = sample;
	sample->word = SAMPLE_RESERVED;
}

static void sample_unlink(struct sample *sample)
{
	*sample->link = sample->next;
	if (sample->next)
		sample->next->link = sample->link;
}

bool sample_has_views(const struct sample *sample)
{
	return sample->word >= EXPORT;
}

void sample_close(struct sample *sample)
{
	sample->word += SAMPLE_RING_CLOSED - sample_state(sample->word);
	sample_unlink(sample);
	user_ring_buffer__discard(sample->ring->rb, sample->memory);
}

/* True if the sample can be used here; else an exception is set. */
static bool sample_check(const struct sample *sample)
{
	const struct core *core = sample->ring->core;
	enum sample_state state = sample_state(sample->word);

	if (state != SAMPLE_RESERVED)
		PyErr_SetString(state == SAMPLE_RING_CLOSED ? core->sample_lost :
				core->sample_error, state_words[state]);
	else if (sample->generation != fork_generation)
		PyErr_SetString(core->sample_error, "the sample was reserved by the parent process, "
				"which alone may write, submit or discard it");
	else
		return true;
	return false;
}

int sample_finish(struct sample *sample, struct ring *ring, enum sample_state state)
{
	if (sample->ring != ring) {
		PyErr_SetString(ring->core->sample_error, "the sample was reserved from another ring");
		return -1;
	}
	if (!sample_check(sample) || !ring_check(ring))
		return -1;
	if (sample_has_views(sample)) {
		PyErr_SetString(PyExc_BufferError, "a view of the sample is still alive: release it "
				"(or delete what holds it) first");
		return -1;
	}
	sample->word = state;
	sample_unlink(sample);
	if (state == SAMPLE_SUBMITTED)
		user_ring_buffer__submit(ring->rb, sample->memory);
	else
		user_ring_buffer__discard(ring->rb, sample->memory);
	return 0;
}

/* Whatever happens, no sample is left behind at the head of the line: without views it is discarded
 * now, otherwise by the release of the last one. */
static void sample_discard_or_defer(struct sample *sample)
{
	enum sample_state state = sample_state(sample->word);

	if (!sample->memory || sample->generation != fork_generation ||
	    (state != SAMPLE_RESERVED && state != SAMPLE_DISCARD_PENDING))
		return;
	if (sample_has_views(sample)) {
		sample->word += SAMPLE_DISCARD_PENDING - state;
		return;
	}
	sample->word = SAMPLE_DISCARDED;
	sample_unlink(sample);
	user_ring_buffer__discard(sample->ring->rb, sample->memory);
}

/* ---- the buffer protocol */

static bool sample_export(struct sample *sample)
{
	if (!sample_check(sample))
		return false;
	sample->word += EXPORT;
	return true;
}

static void sample_unexport(struct sample *sample)
{
	sample->word -= EXPORT;
	if (sample->word == SAMPLE_DISCARD_PENDING)
		sample_discard_or_defer(sample);
}

static int sample_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	struct sample *sample = (struct sample *)self;

	view->obj = NULL;
	if (!sample_export(sample))
		return -1;
	if (PyBuffer_FillInfo(view, self, sample->memory, sample->size, 0, flags)) {
		sample_unexport(sample);
		return -1;
	}
	return 0;
}

static void sample_releasebuffer(PyObject *self, Py_buffer *view)
{
	(void)view;
	sample_unexport((struct sample *)self);
}

/* ---- indexing, as a memoryview's, but a slice read is a copy */

static Py_ssize_t sample_length(PyObject *self)
{
	return ((struct sample *)self)->size;
}

static PyObject *sample_subscript(PyObject *self, PyObject *key)
{
	PyObject *view = PyMemoryView_FromObject(self), *part, *result;

	if (!view)
		return NULL;
	part = PyObject_GetItem(view, key);
	Py_DECREF(view);
	if (!part || !PySlice_Check(key))
		return part;
	result = PyBytes_FromObject(part);
	Py_DECREF(part);
	return result;
}

static int sample_copy_in(struct sample *sample, Py_ssize_t start, Py_ssize_t length,
			  PyObject *value)
{
	Py_buffer source;
	int result = -1;

	if (PyObject_GetBuffer(value, &source, PyBUF_SIMPLE))
		return -1;
	if (source.len != length)
		PyErr_Format(PyExc_ValueError, "%zd bytes do not fit a slice of %zd bytes",
			     source.len, length);
	else if (sample_export(sample)) {
		memmove(sample->memory + start, source.buf, length);
		sample_unexport(sample);
		result = 0;
	}
	PyBuffer_Release(&source);
	return result;
}

static int sample_ass_subscript(PyObject *self, PyObject *key, PyObject *value)
{
	struct sample *sample = (struct sample *)self;
	Py_ssize_t start, stop, step, length;
	PyObject *view;
	int result;

	if (!value) {
		PyErr_SetString(PyExc_TypeError, "bytes of a sample cannot be deleted");
		return -1;
	}
	if (PySlice_Check(key)) {
		if (PySlice_Unpack(key, &start, &stop, &step))
			return -1;
		length = PySlice_AdjustIndices(sample->size, &start, &stop, step);
		if (step == 1)
			return sample_copy_in(sample, start, length, value);
	}
	view = PyMemoryView_FromObject(self);
	if (!view)
		return -1;
	result = PyObject_SetItem(view, key, value);
	Py_DECREF(view);
	return result;
}

/* ---- methods */

static PyObject *sample_enter(PyObject *self, PyObject *unused)
{
	struct sample *sample = (struct sample *)self;

	(void)unused;
	if (!sample_check(sample))
		return NULL;
	return Py_NewRef(self);
}

static PyObject *sample_exit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
	struct sample *sample = (struct sample *)self;
	enum sample_state state;

	if (count != 3)
		return PyErr_Format(PyExc_TypeError, "__exit__ takes 3 arguments (%zd given)", count);
	state = sample_state(sample->word);
	if (args[0] != Py_None) {
		if (state == SAMPLE_RESERVED)
			sample_discard_or_defer(sample);
	} else if (state == SAMPLE_RING_CLOSED) {
		/* Whoever wrote the block takes the sample for submitted. */
		sample_check(sample);
		return NULL;
	} else if (state == SAMPLE_RESERVED &&
		   sample_finish(sample, sample->ring, SAMPLE_SUBMITTED)) {
		sample_discard_or_defer(sample);
		return NULL;
	}
	Py_RETURN_FALSE;
}

static PyObject *sample_end(struct sample *sample, enum sample_state state)
{
	if (sample_finish(sample, sample->ring, state))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *sample_submit(PyObject *self, PyObject *unused)
{
	(void)unused;
	return sample_end((struct sample *)self, SAMPLE_SUBMITTED);
}

static PyObject *sample_discard(PyObject *self, PyObject *unused)
{
	(void)unused;
	return sample_end((struct sample *)self, SAMPLE_DISCARDED);
}

static const char *const state_names[SAMPLE_STATES] = {
	"reserved", "submitted", "discarded", "discarded", "discarded",
};

static PyObject *get_state(PyObject *self, void *unused)
{
	(void)unused;
	return PyUnicode_FromString(state_names[sample_state(((struct sample *)self)->word)]);
}

static PyObject *sample_repr(PyObject *self)
{
	struct sample *sample = (struct sample *)self;
	enum sample_state state = sample_state(sample->word);

	return PyUnicode_FromFormat("<userrb.Sample of %u bytes, %s%s>", (unsigned int)sample->size,
				    state_names[state],
				    state == SAMPLE_RING_CLOSED ? ": ring closed" : "");
}

/* Over a copy: an iterator over a view would keep the sample from being submitted. */
static PyObject *sample_iter(PyObject *self)
{
	PyObject *bytes = PyBytes_FromObject(self), *iterator;

	if (!bytes)
		return NULL;
	iterator = PyObject_GetIter(bytes);
	Py_DECREF(bytes);
	return iterator;
}

/* A subclass of the ring may keep its samples: that is a cycle, and must not keep them reserved. */
static int sample_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)((struct sample *)self)->ring);
	return 0;
}

static void sample_dealloc(PyObject *self)
{
	struct sample *sample = (struct sample *)self;
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	if (sample_state(sample->word) == SAMPLE_RESERVED)
		sample_discard_or_defer(sample);
	Py_XDECREF((PyObject *)sample->ring);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

static PyMethodDef sample_methods[] = {
	{ "submit", sample_submit, METH_NOARGS, DOC_Sample_submit },
	{ "discard", sample_discard, METH_NOARGS, DOC_Sample_discard },
	{ "__enter__", sample_enter, METH_NOARGS, NULL },
	{ "__exit__", (PyCFunction)(void (*)(void))sample_exit, METH_FASTCALL, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef sample_getset[] = {
	{ "state", get_state, NULL, DOC_Sample_state, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot sample_slots[] = {
	{ Py_tp_doc, DOC_Sample },
	{ Py_tp_methods, sample_methods },
	{ Py_tp_getset, sample_getset },
	{ Py_tp_iter, sample_iter },
	{ Py_tp_repr, sample_repr },
	{ Py_tp_traverse, sample_traverse },
	{ Py_tp_dealloc, sample_dealloc },
	{ Py_bf_getbuffer, sample_getbuffer },
	{ Py_bf_releasebuffer, sample_releasebuffer },
	{ Py_mp_length, sample_length },
	{ Py_mp_subscript, sample_subscript },
	{ Py_mp_ass_subscript, sample_ass_subscript },
	{ 0, NULL },
};

static PyType_Spec sample_spec = {
	.name = "userrb.Sample",
	.basicsize = sizeof(struct sample),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
		 Py_TPFLAGS_IMMUTABLETYPE,
	.slots = sample_slots,
};

PyTypeObject *sample_type_new(PyObject *module)
{
	return (PyTypeObject *)PyType_FromModuleAndSpec(module, &sample_spec, NULL);
}

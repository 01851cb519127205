/* SPDX-License-Identifier: MIT */
/* The extension module userrb._core: the ring and the sample, and how errno becomes an exception.
 *
 * Initialised in phases: each import, after a purge of sys.modules or in another interpreter, has
 * the exceptions and the types of its own.
 */
#include "core.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

static const struct {
	size_t offset;
	const char *name;
} errors[] = {
	{ offsetof(struct core, bpf_error), "BpfError" },
	{ offsetof(struct core, ring_full), "RingFull" },
	{ offsetof(struct core, ring_timeout), "RingTimeout" },
	{ offsetof(struct core, too_large), "SampleTooLarge" },
	{ offsetof(struct core, bad_timeout), "BadTimeout" },
	{ offsetof(struct core, ring_closed), "RingClosed" },
	{ offsetof(struct core, sample_error), "SampleError" },
	{ offsetof(struct core, sample_lost), "SampleLost" },
};

#define ERRORS (sizeof(errors) / sizeof(errors[0]))

static PyObject **error_at(struct core *core, size_t i)
{
	return (PyObject **)((char *)core + errors[i].offset);
}

PyObject *raise_errno(PyObject *type, int number, const char *format, ...)
{
	PyObject *message, *error;
	va_list values;

	va_start(values, format);
	message = PyUnicode_FromFormatV(format, values);
	va_end(values);
	if (!message)
		return NULL;
	error = PyObject_CallFunction(type, "iN", number, message);
	if (error) {
		PyErr_SetObject(type, error);
		Py_DECREF(error);
	}
	return NULL;
}

static PyObject *map_by_id(PyObject *module, PyObject *id)
{
	unsigned long number = PyLong_AsUnsignedLong(id);
	struct core *core = PyModule_GetState(module);
	int fd;

	if (number == (unsigned long)-1 && PyErr_Occurred())
		return NULL;
	fd = number > UINT32_MAX ? -ENOENT : bpf_map_get_fd_by_id(number);
	if (fd < 0)
		return raise_errno(core->bpf_error, -fd, "opening the map with the id %lu: %s", number,
				   strerror(-fd));
	return PyLong_FromLong(fd);
}

static int errors_import(struct core *core)
{
	PyObject *module = PyImport_ImportModule("userrb.errors");
	size_t i;

	if (!module)
		return -1;
	for (i = 0; i < ERRORS; i++) {
		*error_at(core, i) = PyObject_GetAttrString(module, errors[i].name);
		if (!*error_at(core, i))
			break;
	}
	Py_DECREF(module);
	return i == ERRORS ? 0 : -1;
}

static int module_exec(PyObject *module)
{
	struct core *core = PyModule_GetState(module);
	PyTypeObject *ring;
	int failed;

	if (errors_import(core))
		return -1;
	if (fork_generation_watch()) {
		PyErr_NoMemory();
		return -1;
	}
	core->sample_type = sample_type_new(module);
	ring = ring_type_new(module);
	failed = !core->sample_type || !ring || PyModule_AddType(module, ring) ||
		PyModule_AddType(module, core->sample_type);
	Py_XDECREF((PyObject *)ring);
	return failed ? -1 : reader_type_add(module);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct core *core = PyModule_GetState(module);
	size_t i;

	for (i = 0; i < ERRORS; i++)
		Py_VISIT(*error_at(core, i));
	Py_VISIT(core->sample_type);
	return 0;
}

static int module_clear(PyObject *module)
{
	struct core *core = PyModule_GetState(module);
	size_t i;

	for (i = 0; i < ERRORS; i++)
		Py_CLEAR(*error_at(core, i));
	Py_CLEAR(core->sample_type);
	return 0;
}

static void module_free(void *module)
{
	module_clear(module);
}

static PyMethodDef module_methods[] = {
	{ "map_by_id", map_by_id, METH_O, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyModuleDef_Slot module_slots[] = {
	{ Py_mod_exec, module_exec },
	{ 0, NULL },
};

static struct PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,
	.m_name = "userrb._core",
	.m_doc = "The user ring buffer and its samples.",
	.m_size = sizeof(struct core),
	.m_methods = module_methods,
	.m_slots = module_slots,
	.m_traverse = module_traverse,
	.m_clear = module_clear,
	.m_free = module_free,
};

struct core *core_of(PyTypeObject *type)
{
	PyObject *module;

	for (; type; type = PyType_GetSlot(type, Py_tp_base)) {
		module = PyType_GetModule(type);
		if (module && PyModule_GetDef(module) == &module_def)
			return PyModule_GetState(module);
		PyErr_Clear();	/* a class made in Python has none */
	}
	PyErr_SetString(PyExc_TypeError, "not a ring");
	return NULL;
}

PyMODINIT_FUNC PyInit__core(void)
{
	return PyModuleDef_Init(&module_def);
}

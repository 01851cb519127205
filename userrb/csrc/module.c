/* SPDX-License-Identifier: MIT */
/* The extension module userrb._core: the ring and the sample, and how errno becomes an exception. */
#include "core.h"

#include <stdarg.h>

PyObject *error_bpf, *error_ring_full, *error_too_large, *error_closed, *error_sample,
	*error_timeout;

static const struct {
	PyObject **error;
	const char *name;
} errors[] = {
	{ &error_bpf, "BpfError" },
	{ &error_ring_full, "RingFull" },
	{ &error_too_large, "SampleTooLarge" },
	{ &error_closed, "RingClosed" },
	{ &error_sample, "SampleError" },
	{ &error_timeout, "BadTimeout" },
};

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

static int errors_import(void)
{
	PyObject *module = PyImport_ImportModule("userrb.errors");
	size_t i;

	if (!module)
		return -1;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		*errors[i].error = PyObject_GetAttrString(module, errors[i].name);
		if (!*errors[i].error)
			break;
	}
	Py_DECREF(module);
	return i == sizeof(errors) / sizeof(errors[0]) ? 0 : -1;
}

static int module_fill(PyObject *module)
{
	PyTypeObject *ring, *sample;

	if (errors_import() || fork_generation_watch())
		return -1;
	ring = ring_type_new(module);
	sample = sample_type_new(module);
	if (!ring || !sample || PyModule_AddType(module, ring) || PyModule_AddType(module, sample))
		return -1;
	Py_DECREF(ring);
	return reader_type_add(module);
}

static struct PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,
	.m_name = "userrb._core",
	.m_doc = "The user ring buffer and its samples.",
	.m_size = -1,		/* state in C variables: one interpreter */
};

PyMODINIT_FUNC PyInit__core(void)
{
	PyObject *module = PyModule_Create(&module_def);

	if (!module)
		return NULL;
#ifdef Py_GIL_DISABLED
	PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
	if (module_fill(module)) {
		Py_DECREF(module);
		return NULL;
	}
	return module;
}

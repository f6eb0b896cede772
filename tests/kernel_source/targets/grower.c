/* An extension that keeps what it takes from malloc: grow(blocks, bytes). */
#define Py_LIMITED_API 0x03080000
#include <Python.h>
#include <stdlib.h>
#include <string.h>

static void *last;

static PyObject *grow(PyObject *module, PyObject *arguments)
{
	long blocks, bytes;

	(void)module;
	if (!PyArg_ParseTuple(arguments, "ll", &blocks, &bytes) || bytes < (long)sizeof(last))
		return NULL;
	for (long number = 0; number < blocks; number++) {
		void *block = malloc(bytes);

		if (!block)
			return PyErr_NoMemory();
		memset(block, 1, bytes);
		memcpy(block, &last, sizeof(last));
		last = block;
	}
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"grow", grow, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "grower", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_grower(void)
{
	return PyModule_Create(&definition);
}

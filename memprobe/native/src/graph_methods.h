/* The graph algorithms as functions of the module _heap. Documentation is in _heap.pyi. */
#ifndef MEMPROBE_GRAPH_METHODS_H
#define MEMPROBE_GRAPH_METHODS_H

#include "python.h"

PyObject *dominators(PyObject *module, PyObject *arguments);
PyObject *retained(PyObject *module, PyObject *arguments);
PyObject *sums(PyObject *module, PyObject *arguments);
PyObject *dominated(PyObject *module, PyObject *arguments);
PyObject *reach(PyObject *module, PyObject *arguments);
PyObject *reverse(PyObject *module, PyObject *arguments);
PyObject *count_references(PyObject *module, PyObject *arguments);
PyObject *garbage(PyObject *module, PyObject *arguments);

#define GRAPH_METHODS \
    {"dominators", dominators, METH_VARARGS, NULL}, \
    {"retained", retained, METH_VARARGS, NULL}, \
    {"sums", sums, METH_VARARGS, NULL}, \
    {"dominated", dominated, METH_VARARGS, NULL}, \
    {"reach", reach, METH_VARARGS, NULL}, \
    {"reverse", reverse, METH_VARARGS, NULL}, \
    {"count_references", count_references, METH_VARARGS, NULL}, \
    {"garbage", garbage, METH_VARARGS, NULL}

#endif

#define _GNU_SOURCE

#include "heap_census.h"
#include "heap_object.h"
#include "scope.h"

#include <stdlib.h>
#include <string.h>

static PyObject *rows_as_bytes(const struct heap_census *census, size_t count)
{
    return PyBytes_FromStringAndSize((const char *)census->rows, (Py_ssize_t)(count * sizeof(*census->rows)));
}

PyObject *heap_census_method(HeapObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"progress", NULL};
    PyObject *progress = NULL;
    struct heap_census census;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:census", names, &progress)
        || !heap_begin(self, progress))
        return NULL;
    int err = heap_census_open(&census, &self->heap);
    if (err == 0)
        err = heap_census_walk(&census);
    if (err == 0)
        err = heap_census_rows(&census, self->heap.types.count);
    PyObject *result = NULL;
    if (heap_end(self, err))
        result = Py_BuildValue("NK", rows_as_bytes(&census, self->heap.types.count),
                               (unsigned long long)census.table_bytes);
    heap_census_close(&census);
    return result;
}

PyObject *heap_types_method(HeapObject *self, PyObject *Py_UNUSED(unused))
{
    const struct heap_types *types = &self->heap.types;
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(types->count * sizeof(uint64_t)));

    if (result == NULL)
        return NULL;
    for (size_t i = 0; i < types->count; i++)
        memcpy(PyBytes_AsString(result) + i * sizeof(uint64_t), &types->types[i].address, sizeof(uint64_t));
    return result;
}

static int put_number(PyObject *numbers, const char *name, uint64_t value)
{
    scope(scope_unref) PyObject *number = PyLong_FromUnsignedLongLong(value);

    return number == NULL ? -1 : PyDict_SetItemString(numbers, name, number);
}

PyObject *heap_counters_method(HeapObject *self, PyObject *Py_UNUSED(unused))
{
    scope(scope_unref) PyObject *numbers = PyDict_New();

    if (numbers == NULL)
        return NULL;
#define PUT_COUNTER(name)                                                                          \
    if (put_number(numbers, #name, self->heap.counters.name) < 0)                                  \
        return NULL;
    HEAP_COUNTERS(PUT_COUNTER)
#undef PUT_COUNTER
    return Py_NewRef(numbers);
}

PyObject *heap_find_type_method(HeapObject *self, PyObject *argument)
{
    uint64_t address = PyLong_AsUnsignedLongLong(argument);
    const struct heap_type *type = NULL;

    if (PyErr_Occurred() || !heap_begin(self, NULL))
        return NULL;
    int err = heap_find_type(&self->heap, address, &type);
    if (!heap_end(self, err))
        return NULL;
    return PyLong_FromLong(type == NULL ? -1 : (long)type->index);
}

#define _GNU_SOURCE

#include "heap_object.h"
#include "heap_sample.h"
#include "scope.h"

#include <stdlib.h>

PyObject *heap_pool_headers_method(HeapObject *self, PyObject *argument)
{
    struct heap_pool_headers headers = {0};
    uint64_t step = PyLong_AsUnsignedLongLong(argument);

    if (PyErr_Occurred() || !heap_begin(self, NULL))
        return NULL;
    int err = heap_read_pool_headers(&self->heap, step == 0 ? 1 : step, &headers);
    PyObject *result = NULL;
    if (heap_end(self, err))
        result = PyBytes_FromStringAndSize((const char *)headers.headers,
                                           (Py_ssize_t)(headers.count * sizeof(*headers.headers)));
    free(headers.headers);
    return result;
}

/* A piece must be where regions can be: only then its arithmetic is safe. */
static bool are_pieces(const struct heap_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pieces[i].start >= pieces[i].stop || pieces[i].stop > pieces[i].end || pieces[i].start % 4096 != 0
            || pieces[i].end > (uint64_t)1 << 47)
            return false;
    return true;
}

static PyObject *sample_as_tuple(const struct heap_sample *sample, bool is_whole)
{
    size_t count = is_whole ? sample->census.row_count : 0;

    return Py_BuildValue("NN",
                         PyBytes_FromStringAndSize((const char *)sample->keys,
                                                   (Py_ssize_t)(count * sizeof(*sample->keys))),
                         PyBytes_FromStringAndSize((const char *)sample->census.rows,
                                                   (Py_ssize_t)(count * sizeof(*sample->census.rows))));
}

PyObject *heap_sample_method(HeapObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer pools = {0};
    scope(scope_release) Py_buffer pieces = {0};
    struct heap_sample sample = {0};

    if (!PyArg_ParseTuple(arguments, "y*y*:sample", &pools, &pieces))
        return NULL;
    size_t pool_count = (size_t)pools.len / sizeof(uint64_t);
    size_t piece_count = (size_t)pieces.len / sizeof(struct heap_piece);
    if (!are_pieces(pieces.buf, piece_count)) {
        PyErr_SetString(PyExc_ValueError, "pieces must be (start, stop, end, kind) in whole pages");
        return NULL;
    }
    if (!heap_begin(self, NULL))
        return NULL;
    int err = heap_sample_open(&sample, &self->heap);
    if (err == 0)
        err = heap_sample_walk(&sample, pools.buf, pool_count, pieces.buf, piece_count);
    PyObject *result = heap_end(self, err) ? sample_as_tuple(&sample, sample.keys != NULL) : NULL;
    heap_sample_close(&sample);
    return result;
}

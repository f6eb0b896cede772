/* Owners that let go at the end of their scope, whichever way it is left. */
#ifndef MEMPROBE_SCOPE_H
#define MEMPROBE_SCOPE_H

#include "python.h"

#include <stdlib.h>

#define scope(function) __attribute__((cleanup(function)))

static inline void scope_free(void *pointer)
{
    free(*(void **)pointer);
}

/* A Py_buffer that was never filled is all zero: PyBuffer_Release accepts that. */
static inline void scope_release(Py_buffer *buffer)
{
    PyBuffer_Release(buffer);
}

static inline void scope_unref(PyObject **object)
{
    Py_XDECREF(*object);
}

#endif

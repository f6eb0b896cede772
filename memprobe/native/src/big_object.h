/* A big_buffer as an object of Python: type BigBuffer, which has the buffer protocol. */
#ifndef MEMPROBE_BIG_OBJECT_H
#define MEMPROBE_BIG_OBJECT_H

#include "big_buffer.h"
#include "python.h"

/* Make the type and add it to the module; called once by the module's exec slot. Returns 0, or -1 with
 * an exception set. */
int big_object_register(PyObject *module);

/* A BigBuffer that takes over `buffer` (which is then empty) and shows it as an array of numbers of
 * `kind`: 'B', 'I' or 'Q', as in the module struct. NULL with an exception set on failure; `buffer` is
 * empty then too. */
PyObject *big_object_take(PyObject *module, struct big_buffer *buffer, char kind);

/* Of the module _heap. */
PyObject *set_memory_limit(PyObject *module, PyObject *arguments);
PyObject *memory_in_use(PyObject *module, PyObject *reset); /* METH_O */

#endif

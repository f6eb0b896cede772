/* The kernel's tracing files without anybody having mounted them. */
#ifndef MEMPROBE_TRACEFS_H
#define MEMPROBE_TRACEFS_H

#include "python.h"

PyObject *open_tracefs(PyObject *module, PyObject *ignored);

#endif

/* The Python face of remote_read.h. */
#ifndef MEMPROBE_REMOTE_METHODS_H
#define MEMPROBE_REMOTE_METHODS_H

#include "python.h"

PyObject *read_regions(PyObject *module, PyObject *arguments);
PyObject *read_region(PyObject *module, PyObject *arguments);

#endif

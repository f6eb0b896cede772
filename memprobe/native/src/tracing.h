/* Stopping the threads of another process, by ptrace. */
#ifndef MEMPROBE_TRACING_H
#define MEMPROBE_TRACING_H

#include "python.h"

PyObject *trace_seize(PyObject *module, PyObject *thread);
PyObject *trace_interrupt(PyObject *module, PyObject *thread);

#endif

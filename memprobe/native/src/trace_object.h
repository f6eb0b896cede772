/* The Python type Tracer: windows in which the system calls of processes are traced, and what came of them. */
#ifndef MEMPROBE_TRACE_OBJECT_H
#define MEMPROBE_TRACE_OBJECT_H

#include "python.h"

extern PyType_Spec trace_object_spec;

#endif

/* The Python type Ring: the reader of a ring buffer map. */
#ifndef MEMPROBE_RING_OBJECT_H
#define MEMPROBE_RING_OBJECT_H

#include "python.h"

extern PyType_Spec bpf_ring_spec;

#endif

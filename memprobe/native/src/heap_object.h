/* The Python type Heap: one process whose heap is looked at. Its methods are spread over one file per
 * topic; each begins with heap_begin and ends with heap_end. */
#ifndef MEMPROBE_HEAP_OBJECT_H
#define MEMPROBE_HEAP_OBJECT_H

#include "heap_walk.h"
#include "python.h"

#include <stdbool.h>

typedef struct {
    PyObject_HEAD
    struct heap heap;
    PyObject *describe;    /* called with an address, answers bytes or None */
    PyObject *record;      /* what it answered last */
    PyObject *progress;    /* called with bytes walked and bytes in all, or NULL */
    PyThreadState *thread; /* saved while the GIL is released, else NULL */
    unsigned ticks;
    bool is_open;
    bool busy;             /* a call that has released the GIL is using it */
} HeapObject;

/* Take the heap for a call and release the GIL. `progress` may be NULL or None. False with an exception
 * if it is in use. */
bool heap_begin(HeapObject *self, PyObject *progress);

/* Take the GIL again and let go of the heap. False with an exception if `err` is not 0. */
bool heap_end(HeapObject *self, int err);

PyObject *heap_census_method(HeapObject *self, PyObject *arguments, PyObject *keywords);
PyObject *heap_sample_method(HeapObject *self, PyObject *arguments);
PyObject *heap_pool_headers_method(HeapObject *self, PyObject *step);
PyObject *heap_changes_method(HeapObject *self, PyObject *unused);
PyObject *heap_types_method(HeapObject *self, PyObject *unused);
PyObject *heap_counters_method(HeapObject *self, PyObject *unused);
PyObject *heap_objects_of_method(HeapObject *self, PyObject *arguments);
PyObject *heap_frozen_method(HeapObject *self, PyObject *head);
PyObject *heap_frozen_objects_method(HeapObject *self, PyObject *head);
PyObject *heap_graph_method(HeapObject *self, PyObject *arguments, PyObject *keywords);
PyObject *heap_graph_near_method(HeapObject *self, PyObject *arguments);
PyObject *heap_find_type_method(HeapObject *self, PyObject *address);

extern PyType_Spec heap_object_spec;

#endif

#define _GNU_SOURCE

#include "big_object.h"
#include "heap_graph.h"
#include "heap_object.h"
#include "scope.h"

static int put_array(PyObject *module, PyObject *result, const char *name, struct big_buffer *buffer,
                     char kind)
{
    scope(scope_unref) PyObject *array = big_object_take(module, buffer, kind);

    return array == NULL ? -1 : PyDict_SetItemString(result, name, array);
}

static int put_number(PyObject *result, const char *name, uint64_t value)
{
    scope(scope_unref) PyObject *number = PyLong_FromUnsignedLongLong(value);

    return number == NULL ? -1 : PyDict_SetItemString(result, name, number);
}

/* Everything by name: the arrays as BigBuffers, the counters as numbers. */
static PyObject *as_dict(PyObject *module, struct heap_graph *graph)
{
    scope(scope_unref) PyObject *result = PyDict_New();

    if (result == NULL || put_array(module, result, "addresses", &graph->addresses, 'Q') < 0
        || put_array(module, result, "types", &graph->types, 'I') < 0
        || put_array(module, result, "sizes", &graph->sizes, 'I') < 0
        || put_array(module, result, "flags", &graph->flags, 'B') < 0
        || put_array(module, result, "refcounts", &graph->refcounts, 'I') < 0
        || put_array(module, result, "starts", &graph->starts, 'Q') < 0
        || put_array(module, result, "targets", &graph->targets, 'I') < 0)
        return NULL;
#define PUT_COUNTER(name)                                                                          \
    if (put_number(result, #name, graph->counters.name) < 0)                                       \
        return NULL;
    HEAP_GRAPH_COUNTERS(PUT_COUNTER)
#undef PUT_COUNTER
    return Py_NewRef(result);
}

PyObject *heap_graph_method(HeapObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"progress", NULL};
    PyObject *progress = NULL;
    struct heap_graph graph = {0};
    PyObject *result = NULL;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:graph", names, &progress)
        || !heap_begin(self, progress))
        return NULL;
    int err = heap_graph_build(&self->heap, &graph);
    if (heap_end(self, err))
        result = as_dict(PyType_GetModule(Py_TYPE((PyObject *)self)), &graph);
    heap_graph_close(&graph);
    return result;
}

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

/* Find the part that is wanted, and build its graph. */
static int build_part(struct heap *heap, const Py_buffer *first, uint64_t most, struct heap_graph *ret)
{
    struct heap_near part = {0};
    int err = heap_near_find(heap, first->buf, (size_t)first->len / sizeof(uint64_t), (size_t)most, &part);

    if (err == 0)
        err = heap_graph_build(heap, &part, ret);
    heap_near_close(&part);
    return err;
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
    int err = heap_graph_build(&self->heap, NULL, &graph);
    if (heap_end(self, err))
        result = as_dict(PyType_GetModule(Py_TYPE((PyObject *)self)), &graph);
    heap_graph_close(&graph);
    return result;
}

PyObject *heap_graph_near_method(HeapObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer first = {0};
    unsigned int most = 0;
    struct heap_graph graph = {0};
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(arguments, "y*I:graph_near", &first, &most) || !heap_begin(self, NULL))
        return NULL;
    int err = build_part(&self->heap, &first, most, &graph);
    if (heap_end(self, err))
        result = as_dict(PyType_GetModule(Py_TYPE((PyObject *)self)), &graph);
    heap_graph_close(&graph);
    return result;
}

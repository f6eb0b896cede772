#define _GNU_SOURCE

#include "heap_object.h"

#include "errors.h"
#include "heap_arenas.h"
#include "scope.h"

#include <errno.h>
#include <string.h>

/* Between two looks at signals and progress: some 5 ms. */
#define TICKS_BETWEEN 32
#define HIGHEST_ADDRESS ((uint64_t)1 << 47)
#define PAGE 4096u
#define MOST_SPANS ((size_t)1 << 20)

/* --- without the GIL -------------------------------------------------------------------------- */

static void take_gil(HeapObject *self)
{
    PyThreadState *thread = self->thread;

    self->thread = NULL;
    PyEval_RestoreThread(thread);
}

static int show_progress(HeapObject *self)
{
    if (PyErr_CheckSignals() < 0)
        return -ECANCELED;
    if (self->progress == NULL)
        return 0;
    scope(scope_unref) PyObject *result
        = PyObject_CallFunction(self->progress, "KK", (unsigned long long)self->heap.walked,
                                (unsigned long long)self->heap.to_walk);
    return result == NULL ? -ECANCELED : 0;
}

static int tick(void *state)
{
    HeapObject *self = state;

    bool is_end = self->heap.walked == self->heap.to_walk;

    if (++self->ticks % TICKS_BETWEEN != 0 && !is_end)
        return 0;
    take_gil(self);
    int err = show_progress(self);
    self->thread = PyEval_SaveThread();
    return err;
}

/* Keep an answer of `describe` until the next one; its bytes are used without the GIL. */
static int64_t keep_record(HeapObject *self, PyObject *answer, const struct heap_type_record **ret)
{
    char *bytes;
    Py_ssize_t size;

    if (answer == NULL)
        return -ECANCELED;
    if (answer == Py_None)
        return 0;
    if (PyBytes_AsStringAndSize(answer, &bytes, &size) < 0)
        return -ECANCELED;
    Py_XDECREF(self->record);
    self->record = Py_NewRef(answer);
    *ret = (const struct heap_type_record *)(const void *)bytes;
    return size;
}

static int64_t describe(void *state, uint64_t address, const struct heap_type_record **ret)
{
    HeapObject *self = state;

    take_gil(self);
    PyObject *answer = PyObject_CallFunction(self->describe, "K", (unsigned long long)address);
    int64_t size = keep_record(self, answer, ret);
    Py_XDECREF(answer);
    self->thread = PyEval_SaveThread();
    return size;
}

bool heap_begin(HeapObject *self, PyObject *progress)
{
    if (!self->is_open || self->busy) {
        PyErr_SetString(PyExc_ValueError, self->busy ? "this heap is being walked already" : "this heap is not open");
        return false;
    }
    self->busy = true;
    self->progress = progress == Py_None ? NULL : Py_XNewRef(progress);
    self->thread = PyEval_SaveThread();
    return true;
}

bool heap_end(HeapObject *self, int err)
{
    take_gil(self);
    Py_CLEAR(self->progress);
    self->busy = false;
    if (err == 0)
        return true;
    if (PyErr_Occurred())
        return false;
    if (err == -ENOMEM)
        PyErr_NoMemory();
    else
        raise_read_error(err, self->heap.reader.process.pid, 0);
    return false;
}

/* --- opening ------------------------------------------------------------------------------------ */

static int set_field(struct heap_plan *plan, PyObject *name, PyObject *value)
{
    long long number = PyLong_AsLongLong(value);
    scope(scope_unref) PyObject *encoded = PyUnicode_AsASCIIString(name);

    if (PyErr_Occurred() || encoded == NULL)
        return -1;
    if (heap_plan_set(plan, PyBytes_AsString(encoded), number) == 0)
        return 0;
    PyErr_Format(PyExc_ValueError, "the plan has %R, which nobody uses", name);
    return -1;
}

static int set_plan(struct heap_plan *plan, PyObject *entries)
{
    PyObject *name, *value;
    Py_ssize_t position = 0;
    const char *missing;

    heap_plan_clear(plan);
    while (PyDict_Next(entries, &position, &name, &value))
        if (set_field(plan, name, value) < 0)
            return -1;
    missing = heap_plan_check(plan);
    if (missing == NULL)
        return 0;
    PyErr_Format(PyExc_ValueError, "the plan lacks %s, or it is impossible", missing);
    return -1;
}

static bool refuse(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return false;
}

/* Copy an array of items, which begin with an address and a size and must be in order. */
static bool copy_spans(const Py_buffer *buffer, size_t item, void **ret, size_t *ret_count)
{
    size_t length = (size_t)buffer->len;
    uint64_t end = 0;

    if (length % item != 0 || length / item > MOST_SPANS)
        return refuse("arenas must be pairs and regions triples of 64-bit numbers");
    *ret_count = length / item;
    *ret = calloc(*ret_count + 1, item);
    if (*ret == NULL) {
        PyErr_NoMemory();
        return false;
    }
    if (length > 0)
        memcpy(*ret, buffer->buf, length);
    for (size_t i = 0; i < *ret_count; i++) {
        const struct heap_span *span = (const struct heap_span *)(const void *)((const char *)*ret + i * item);
        if (span->address < end || span->size == 0 || span->address % PAGE != 0 || span->size % PAGE != 0
            || span->address >= HIGHEST_ADDRESS || span->size > HIGHEST_ADDRESS - span->address)
            return refuse("arenas and regions must be whole pages, in order, and must not overlap");
        end = span->address + span->size;
    }
    return true;
}

static bool open_parts(HeapObject *self, PyObject *plan, const Py_buffer *arenas, const Py_buffer *regions)
{
    struct heap *heap = &self->heap;

    if (set_plan(&heap->plan, plan) < 0
        || !copy_spans(arenas, sizeof(struct heap_span), (void **)&heap->arenas, &heap->arena_count)
        || !copy_spans(regions, sizeof(struct heap_region), (void **)&heap->regions, &heap->region_count))
        return false;
    int err = heap_arenas_index(heap);
    if (err == 0)
        err = heap_reader_open(&heap->reader);
    if (err == 0)
        err = heap_types_open(&heap->types);
    if (err == -E2BIG)
        return refuse("there are more arenas than any process has");
    if (err != 0)
        PyErr_NoMemory();
    return err == 0;
}

static int heap_init(HeapObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"pid", "pidfd", "mem_fd", "pagemap_fd", "plan", "arenas", "regions", "describe", NULL};
    scope(scope_release) Py_buffer arenas = {0};
    scope(scope_release) Py_buffer regions = {0};
    struct heap *heap = &self->heap;
    PyObject *plan, *callback;

    if (heap->plan.version != 0)
        return PyErr_SetString(PyExc_ValueError, "this heap is open already"), -1;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "iiiiO!y*y*O:Heap", names, &heap->reader.process.pid,
                                     &heap->reader.process.pidfd, &heap->reader.process.mem_fd,
                                     &heap->reader.pagemap.fd, &PyDict_Type, &plan, &arenas, &regions, &callback))
        return -1;
    self->describe = Py_NewRef(callback);
    heap->types.describe = describe;
    heap->types.describe_state = self;
    heap->tick = tick;
    heap->tick_state = self;
    self->is_open = open_parts(self, plan, &arenas, &regions);
    return self->is_open ? 0 : -1;
}

static int heap_traverse(HeapObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->describe);
    Py_VISIT(self->progress);
    return 0;
}

static int heap_clear_references(HeapObject *self)
{
    Py_CLEAR(self->describe);
    Py_CLEAR(self->record);
    Py_CLEAR(self->progress);
    return 0;
}

static void heap_dealloc(HeapObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);

    PyObject_GC_UnTrack(self);
    heap_clear_references(self);
    heap_clear(&self->heap);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"census", (PyCFunction)(void (*)(void))heap_census_method, METH_VARARGS | METH_KEYWORDS, NULL},
    {"objects_of", (PyCFunction)(void (*)(void))heap_objects_of_method, METH_VARARGS, NULL},
    {"frozen", (PyCFunction)(void (*)(void))heap_frozen_method, METH_O, NULL},
    {"frozen_objects", (PyCFunction)(void (*)(void))heap_frozen_objects_method, METH_O, NULL},
    {"pool_headers", (PyCFunction)(void (*)(void))heap_pool_headers_method, METH_O, NULL},
    {"sample", (PyCFunction)(void (*)(void))heap_sample_method, METH_VARARGS, NULL},
    {"changes", (PyCFunction)(void (*)(void))heap_changes_method, METH_NOARGS, NULL},
    {"graph", (PyCFunction)(void (*)(void))heap_graph_method, METH_VARARGS | METH_KEYWORDS, NULL},
    {"graph_near", (PyCFunction)(void (*)(void))heap_graph_near_method, METH_VARARGS, NULL},
    {"types", (PyCFunction)(void (*)(void))heap_types_method, METH_NOARGS, NULL},
    {"counters", (PyCFunction)(void (*)(void))heap_counters_method, METH_NOARGS, NULL},
    {"find_type", (PyCFunction)(void (*)(void))heap_find_type_method, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_init, heap_init},
    {Py_tp_dealloc, heap_dealloc},
    {Py_tp_traverse, heap_traverse},
    {Py_tp_clear, heap_clear_references},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec heap_object_spec = {
    .name = "memprobe.native._heap.Heap",
    .basicsize = sizeof(HeapObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

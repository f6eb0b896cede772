#define _GNU_SOURCE

#include "heap_census.h"
#include "heap_frozen.h"
#include "heap_object.h"
#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A listing that has all it may have ends the walk. */
#define LISTING_FULL 1

static PyObject *rows_as_bytes(const struct heap_census *census, size_t count)
{
    return PyBytes_FromStringAndSize((const char *)census->rows, (Py_ssize_t)(count * sizeof(*census->rows)));
}

PyObject *heap_census_method(HeapObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"progress", NULL};
    PyObject *progress = NULL;
    struct heap_census census;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:census", names, &progress)
        || !heap_begin(self, progress))
        return NULL;
    int err = heap_census_open(&census, &self->heap);
    if (err == 0)
        err = heap_census_walk(&census);
    if (err == 0)
        err = heap_census_rows(&census, self->heap.types.count);
    PyObject *result = NULL;
    if (heap_end(self, err))
        result = Py_BuildValue("NK", rows_as_bytes(&census, self->heap.types.count),
                               (unsigned long long)census.table_bytes);
    heap_census_close(&census);
    return result;
}

PyObject *heap_changes_method(HeapObject *self, PyObject *Py_UNUSED(unused))
{
    return PyBytes_FromStringAndSize((const char *)self->heap.changes,
                                     (Py_ssize_t)(self->heap.change_count * sizeof(*self->heap.changes)));
}

PyObject *heap_types_method(HeapObject *self, PyObject *Py_UNUSED(unused))
{
    const struct heap_types *types = &self->heap.types;
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(types->count * sizeof(uint64_t)));

    if (result == NULL)
        return NULL;
    for (size_t i = 0; i < types->count; i++)
        memcpy(PyBytes_AsString(result) + i * sizeof(uint64_t), &types->types[i].address, sizeof(uint64_t));
    return result;
}

/* The addresses of the objects of one type. */
struct listing {
    uint64_t type;
    uint64_t *addresses;
    size_t count, capacity, limit;
};

static int list_object(void *state, const struct heap_object *object)
{
    struct listing *listing = state;

    if (object->type->address != listing->type)
        return 0;
    if (listing->count == listing->capacity) {
        size_t room = 2 * listing->capacity + 1024;
        uint64_t *grown = realloc(listing->addresses, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        listing->addresses = grown;
        listing->capacity = room;
    }
    listing->addresses[listing->count++] = object->address;
    return listing->count == listing->limit ? LISTING_FULL : 0;
}

PyObject *heap_objects_of_method(HeapObject *self, PyObject *arguments)
{
    struct listing listing = {0};
    unsigned long long type;
    Py_ssize_t limit;

    if (!PyArg_ParseTuple(arguments, "Kn:objects_of", &type, &limit) || !heap_begin(self, NULL))
        return NULL;
    listing.type = type;
    listing.limit = limit < 1 ? 1 : (size_t)limit;
    int err = heap_walk(&self->heap, list_object, &listing);
    PyObject *result = NULL;
    if (heap_end(self, err == LISTING_FULL ? 0 : err))
        result = PyBytes_FromStringAndSize((const char *)listing.addresses,
                                           (Py_ssize_t)(listing.count * sizeof(*listing.addresses)));
    free(listing.addresses);
    return result;
}

/* Follow one list. False with an exception; what was found is the caller's to free in either case. */
static bool follow_frozen(HeapObject *self, PyObject *argument, struct heap_frozen *frozen)
{
    uint64_t head = PyLong_AsUnsignedLongLong(argument);

    if (PyErr_Occurred() || !heap_begin(self, NULL))
        return false;
    return heap_end(self, heap_count_frozen(&self->heap, head, frozen));
}

static PyObject *numbers_and_end(const uint64_t *numbers, size_t count, bool is_whole)
{
    return Py_BuildValue("y#N", count == 0 ? "" : (const char *)numbers,
                         (Py_ssize_t)(count * sizeof(*numbers)), PyBool_FromLong(is_whole));
}

PyObject *heap_frozen_method(HeapObject *self, PyObject *argument)
{
    struct heap_frozen frozen = {0};
    PyObject *result = NULL;

    if (follow_frozen(self, argument, &frozen))
        result = numbers_and_end(frozen.counts, frozen.types, frozen.is_whole);
    free(frozen.counts);
    return result;
}

PyObject *heap_frozen_objects_method(HeapObject *self, PyObject *argument)
{
    struct heap_frozen frozen = {.wants_addresses = true};
    PyObject *result = NULL;

    if (follow_frozen(self, argument, &frozen))
        result = numbers_and_end(frozen.addresses, frozen.objects, frozen.is_whole);
    free(frozen.counts);
    free(frozen.addresses);
    return result;
}

static int put_number(PyObject *numbers, const char *name, uint64_t value)
{
    scope(scope_unref) PyObject *number = PyLong_FromUnsignedLongLong(value);

    return number == NULL ? -1 : PyDict_SetItemString(numbers, name, number);
}

PyObject *heap_counters_method(HeapObject *self, PyObject *Py_UNUSED(unused))
{
    scope(scope_unref) PyObject *numbers = PyDict_New();

    if (numbers == NULL)
        return NULL;
#define PUT_COUNTER(name)                                                                          \
    if (put_number(numbers, #name, self->heap.counters.name) < 0)                                  \
        return NULL;
    HEAP_COUNTERS(PUT_COUNTER)
#undef PUT_COUNTER
    return Py_NewRef(numbers);
}

PyObject *heap_find_type_method(HeapObject *self, PyObject *argument)
{
    uint64_t address = PyLong_AsUnsignedLongLong(argument);
    const struct heap_type *type = NULL;

    if (PyErr_Occurred() || !heap_begin(self, NULL))
        return NULL;
    int err = heap_find_type(&self->heap, address, &type);
    if (!heap_end(self, err))
        return NULL;
    return PyLong_FromLong(type == NULL ? -1 : (long)type->index);
}

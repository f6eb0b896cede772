#include "ring_parcels.h"

#include "scope.h"

#define MAX_HEAD_SIZE 65536

/* What a drain gives for one kind: bytes objects that are filled without the GIL. */
struct parcel {
    PyObject *heads, *ends, *tails;
};

/* {kind: (bytes of the head, offset of the length of the tail or 0)} */
static bool set_shape(struct ring *ring, PyObject *kind, PyObject *shape)
{
    unsigned int head_size, tail_length;
    size_t index = PyLong_AsSize_t(kind);

    if (PyErr_Occurred() || !PyArg_ParseTuple(shape, "II", &head_size, &tail_length))
        return false;
    if (index >= RING_KINDS || head_size < 8 || head_size > MAX_HEAD_SIZE || tail_length > head_size - 4) {
        PyErr_Format(PyExc_ValueError, "records of kind %zu with heads of %u bytes", index, head_size);
        return false;
    }
    ring->shapes[index] = (struct ring_shape){head_size, tail_length};
    return true;
}

bool ring_set_shapes(struct ring *ring, PyObject *shapes)
{
    PyObject *kind, *shape;
    Py_ssize_t position = 0;

    while (PyDict_Next(shapes, &position, &kind, &shape))
        if (!set_shape(ring, kind, shape))
            return false;
    return true;
}

static void parcels_clear(struct parcel (*parcels)[RING_KINDS])
{
    for (int kind = 0; kind < RING_KINDS; kind++) {
        struct parcel *parcel = &(*parcels)[kind];
        Py_XDECREF(parcel->heads);
        Py_XDECREF(parcel->ends);
        Py_XDECREF(parcel->tails);
    }
}

static PyObject *new_bytes(size_t size)
{
    return PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
}

/* Room for what was measured. tail_ends has one number more: the 0 where the first tail begins. */
static bool make_parcel(struct parcel *parcel, struct ring_room *room, struct ring_sizes sizes,
                        size_t head_size)
{
    parcel->heads = new_bytes(sizes.records * head_size);
    parcel->ends = new_bytes((sizes.records + 1) * sizeof(uint64_t));
    parcel->tails = new_bytes(sizes.tail_bytes);
    if (parcel->heads == NULL || parcel->ends == NULL || parcel->tails == NULL)
        return false;
    /* Bytes objects begin at a multiple of 8 and their content 32 bytes on. */
    room->heads = (unsigned char *)PyBytes_AsString(parcel->heads);
    room->tail_ends = (uint64_t *)(void *)PyBytes_AsString(parcel->ends);
    room->tails = (unsigned char *)PyBytes_AsString(parcel->tails);
    *room->tail_ends++ = 0;
    return true;
}

static bool add_parcel(PyObject *result, int kind, const struct parcel *parcel)
{
    scope(scope_unref) PyObject *key = PyLong_FromLong(kind);
    scope(scope_unref) PyObject *value = PyTuple_Pack(3, parcel->heads, parcel->ends, parcel->tails);

    return key != NULL && value != NULL && PyDict_SetItem(result, key, value) == 0;
}

PyObject *ring_parcels(struct ring *ring)
{
    scope(scope_unref) PyObject *result = PyDict_New();
    scope(parcels_clear) struct parcel parcels[RING_KINDS] = {0};
    struct ring_sizes sizes[RING_KINDS];
    struct ring_room rooms[RING_KINDS] = {0};
    unsigned long end;

    if (result == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    end = ring_measure(ring, sizes);
    Py_END_ALLOW_THREADS
    for (int kind = 0; kind < RING_KINDS; kind++)
        if (sizes[kind].records > 0
            && !(make_parcel(&parcels[kind], &rooms[kind], sizes[kind], ring->shapes[kind].head_size)
                 && add_parcel(result, kind, &parcels[kind])))
            return NULL;
    Py_BEGIN_ALLOW_THREADS
    ring_copy(ring, end, rooms);
    Py_END_ALLOW_THREADS
    return Py_NewRef(result);
}

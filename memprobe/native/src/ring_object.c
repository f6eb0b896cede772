#define _GNU_SOURCE

#include "ring_object.h"

#include "bpf_object.h"
#include "ring.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MAX_HEAD_SIZE 65536

typedef struct {
    PyObject_HEAD
    struct ring ring;
    int map; /* a descriptor of its own; -1 once closed */
    bool busy;
} Ring;

/* What a drain gives for one kind: bytes objects that are filled without the GIL. */
struct parcel {
    PyObject *heads, *ends, *tails;
};

/* {kind: (bytes of the head, offset of the length of the tail or 0)} */
static bool set_shape(Ring *self, PyObject *kind, PyObject *shape)
{
    unsigned int head_size, tail_length;
    size_t index = PyLong_AsSize_t(kind);

    if (PyErr_Occurred() || !PyArg_ParseTuple(shape, "II", &head_size, &tail_length))
        return false;
    if (index >= RING_KINDS || head_size < 8 || head_size > MAX_HEAD_SIZE || tail_length > head_size - 4) {
        PyErr_Format(PyExc_ValueError, "records of kind %zu with heads of %u bytes", index, head_size);
        return false;
    }
    self->ring.shapes[index] = (struct ring_shape){head_size, tail_length};
    return true;
}

static bool set_shapes(Ring *self, PyObject *shapes)
{
    PyObject *kind, *shape;
    Py_ssize_t position = 0;

    while (PyDict_Next(shapes, &position, &kind, &shape))
        if (!set_shape(self, kind, shape))
            return false;
    return true;
}

static int open_map(Ring *self, const struct bpf_map *map)
{
    if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF)
        return -EMEDIUMTYPE;
    self->map = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);
    if (self->map < 0)
        return -errno;
    return ring_open(self->map, bpf_map__max_entries(map), &self->ring);
}

static int ring_init(Ring *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"maps", "name", "shapes", NULL};
    const struct bpf_state *state = PyType_GetModuleState(Py_TYPE((PyObject *)self));
    PyObject *object, *shapes;
    const char *name;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!sO!:Ring", names, state->object, &object,
                                     &name, &PyDict_Type, &shapes))
        return -1;
    if (self->ring.data != NULL) {
        PyErr_SetString(PyExc_ValueError, "this ring is open already");
        return -1;
    }
    BpfObject *from = (BpfObject *)object;
    const struct bpf_map *map = bpf_object_is_loaded(from) ? bpf_object_map(from, name) : NULL;
    if (map == NULL || !set_shapes(self, shapes))
        return -1;
    int err = open_map(self, map);
    return err != 0 ? (bpf_failed(from, err, "read ring", name), -1) : 0;
}

static void close_ring(Ring *self)
{
    if (self->ring.data == NULL)
        return;
    ring_close(&self->ring);
    close(self->map);
    self->map = -1;
}

static void ring_dealloc(Ring *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    close_ring(self);
    release(self);
    Py_DECREF(type);
}

static bool is_usable(const Ring *self)
{
    if (self->busy)
        PyErr_SetString(PyExc_RuntimeError, "another thread is using this ring");
    else if (self->ring.data == NULL)
        PyErr_SetString(PyExc_ValueError, "this ring is closed");
    return !self->busy && self->ring.data != NULL;
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

static PyObject *ring_drain(Ring *self, PyObject *Py_UNUSED(ignored))
{
    scope(scope_unref) PyObject *result = is_usable(self) ? PyDict_New() : NULL;
    scope(parcels_clear) struct parcel parcels[RING_KINDS] = {0};
    struct ring_sizes sizes[RING_KINDS];
    struct ring_room rooms[RING_KINDS] = {0};
    unsigned long end;

    if (result == NULL)
        return NULL;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS
    end = ring_measure(&self->ring, sizes);
    Py_END_ALLOW_THREADS
    bool good = true;
    for (int kind = 0; good && kind < RING_KINDS; kind++)
        if (sizes[kind].records > 0)
            good = make_parcel(&parcels[kind], &rooms[kind], sizes[kind], self->ring.shapes[kind].head_size)
                   && add_parcel(result, kind, &parcels[kind]);
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        ring_copy(&self->ring, end, rooms);
        Py_END_ALLOW_THREADS
    }
    self->busy = false;
    return good ? Py_NewRef(result) : NULL;
}

static PyObject *ring_fileno(Ring *self, PyObject *Py_UNUSED(ignored))
{
    return is_usable(self) ? PyLong_FromLong(self->map) : NULL;
}

static PyObject *ring_close_method(Ring *self, PyObject *Py_UNUSED(ignored))
{
    if (self->busy && !is_usable(self))
        return NULL;
    close_ring(self);
    Py_RETURN_NONE;
}

static PyObject *ring_strange(Ring *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->ring.strange);
}

static PyObject *ring_unwanted(Ring *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->ring.unwanted);
}

static PyObject *ring_waiting(Ring *self, void *Py_UNUSED(closure))
{
    if (!is_usable(self))
        return NULL;
    return PyLong_FromUnsignedLong(__atomic_load_n(self->ring.producer, __ATOMIC_ACQUIRE)
                                   - *self->ring.consumer);
}

static PyMethodDef methods[] = {
    {"drain", METHOD(ring_drain), METH_NOARGS, NULL},
    {"fileno", METHOD(ring_fileno), METH_NOARGS, NULL},
    {"close", METHOD(ring_close_method), METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"strange", (getter)ring_strange, NULL, NULL, NULL},
    {"unwanted", (getter)ring_unwanted, NULL, NULL, NULL},
    {"waiting_bytes", (getter)ring_waiting, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_init, ring_init},
    {Py_tp_dealloc, ring_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {0, NULL},
};

PyType_Spec bpf_ring_spec = {
    .name = "memprobe.native._bpf.Ring",
    .basicsize = sizeof(Ring),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

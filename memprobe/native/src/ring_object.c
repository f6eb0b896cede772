#define _GNU_SOURCE

#include "ring_object.h"

#include "bpf_object.h"
#include "ring.h"
#include "ring_parcels.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

typedef struct {
    PyObject_HEAD
    struct ring ring;
    int map; /* a descriptor of its own; -1 once closed */
    bool busy;
} Ring;

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
    if (map == NULL || !ring_set_shapes(&self->ring, shapes))
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

static PyObject *ring_drain(Ring *self, PyObject *Py_UNUSED(ignored))
{
    if (!is_usable(self))
        return NULL;
    self->busy = true;
    PyObject *parcels = ring_parcels(&self->ring);
    self->busy = false;
    return parcels;
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

#include "big_object.h"

#include "scope.h"

#include <malloc.h>
#include <stdbool.h>

#define LARGE (2 << 20)

typedef struct {
    PyObject_HEAD
    struct big_buffer buffer;
    char format[2];
    Py_ssize_t width, length;
    bool taken; /* close() was called */
    Py_ssize_t exports;
} BigBuffer;

static int get_buffer(BigBuffer *self, Py_buffer *view, int flags)
{
    static char nothing[1];

    if (self->taken) {
        PyErr_SetString(PyExc_ValueError, "this BigBuffer has been closed");
        view->obj = NULL;
        return -1;
    }
    /* Read-only: the algorithms trust what they have checked. */
    void *data = self->buffer.data == NULL ? nothing : self->buffer.data;
    if (PyBuffer_FillInfo(view, (PyObject *)self, data, self->length * self->width, 1, flags) < 0)
        return -1;
    view->itemsize = self->width;
    if (flags & PyBUF_FORMAT)
        view->format = self->format;
    if (flags & PyBUF_ND)
        view->shape = &self->length;
    if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES)
        view->strides = &self->width;
    self->exports++;
    return 0;
}

static void release_buffer(BigBuffer *self, Py_buffer *Py_UNUSED(view))
{
    self->exports--;
}

static Py_ssize_t length(BigBuffer *self)
{
    return self->length;
}

static PyObject *close_now(BigBuffer *self, PyObject *Py_UNUSED(none))
{
    if (self->exports > 0) {
        PyErr_SetString(PyExc_BufferError, "a BigBuffer that is looked at cannot be closed");
        return NULL;
    }
    big_close(&self->buffer);
    self->taken = true;
    self->length = 0;
    Py_RETURN_NONE;
}

static PyObject *is_on_disk(BigBuffer *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->buffer.file != 0);
}

static void dealloc(BigBuffer *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);

    big_close(&self->buffer);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"close", (PyCFunction)close_now, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"on_disk", (getter)is_on_disk, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_sq_length, length},
    {Py_bf_getbuffer, get_buffer},
    {Py_bf_releasebuffer, release_buffer},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "memprobe.native._heap.BigBuffer",
    .basicsize = sizeof(BigBuffer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int big_object_register(PyObject *module)
{
    scope(scope_unref) PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);

    return type == NULL ? -1 : PyModule_AddObjectRef(module, "BigBuffer", type);
}

PyObject *big_object_take(PyObject *module, struct big_buffer *buffer, char kind)
{
    scope(scope_unref) PyObject *type = PyObject_GetAttrString(module, "BigBuffer");
    BigBuffer *made = type == NULL ? NULL : PyObject_New(BigBuffer, (PyTypeObject *)type);

    if (made == NULL) {
        big_close(buffer);
        return NULL;
    }
    made->buffer = *buffer;
    *buffer = (struct big_buffer){0};
    made->format[0] = kind;
    made->format[1] = 0;
    made->width = kind == 'Q' ? 8 : kind == 'I' ? 4 : 1;
    made->length = (Py_ssize_t)made->buffer.bytes / made->width;
    made->taken = false;
    made->exports = 0;
    return (PyObject *)made;
}

/* Left to itself glibc keeps up to 32 MB of every size that was ever freed: of the copies and masks that numpy
 * makes on the way, most would stay. With limits of one's own it does not. */
static void give_back_what_is_freed(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, LARGE);
    mallopt(M_TRIM_THRESHOLD, LARGE);
#endif
}

PyObject *set_memory_limit(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    scope(scope_unref) PyObject *folder = NULL;
    unsigned long long limit;

    if (!PyArg_ParseTuple(arguments, "KO&:set_memory_limit", &limit, PyUnicode_FSConverter, &folder))
        return NULL;
    if (big_limit(limit, PyBytes_AsString(folder)) != 0) {
        PyErr_SetString(PyExc_ValueError, "the folder's name is longer than 200 bytes");
        return NULL;
    }
    give_back_what_is_freed();
    Py_RETURN_NONE;
}

PyObject *memory_in_use(PyObject *Py_UNUSED(module), PyObject *reset)
{
    uint64_t now = big_bytes_now(), peak = big_bytes_peak();
    int again = PyObject_IsTrue(reset);

    if (again < 0)
        return NULL;
    if (again)
        big_peak_reset();
    return Py_BuildValue("KK", now, peak);
}

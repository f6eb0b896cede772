/* BpfObject itself: opening, preparing, loading and letting go. */
#include "bpf_object.h"

#include "bpf_constant.h"
#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Attachments before their programs: nothing may fire into what is being taken down. */
static void let_go(struct bpf_object *object, struct bpf_attachment *attachments, size_t count)
{
    while (count > 0)
        bpf_attachment_close(&attachments[--count]);
    free(attachments);
    bpf_object__close(object);
}

static void object_close(BpfObject *self)
{
    struct bpf_object *object = self->object;
    struct bpf_attachment *attachments = self->attachments;
    size_t count = self->attachment_count;

    self->object = NULL;
    self->attachments = NULL;
    self->attachment_count = 0;
    Py_BEGIN_ALLOW_THREADS
    let_go(object, attachments, count);
    Py_END_ALLOW_THREADS
}

static void object_dealloc(BpfObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    object_close(self);
    release(self);
    Py_DECREF(type);
}

static bool object_open(BpfObject *self, const char *name, const char *path, const Py_buffer *image)
{
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
    struct bpf_call call;
    int err;

    bpf_call_begin(&call, self);
    self->object = path != NULL ? bpf_object__open_file(path, &options)
                                : bpf_object__open_mem(image->buf, (size_t)image->len, &options);
    err = errno;
    bpf_call_end(&call);
    return self->object != NULL || bpf_call_failed(&call, err, "open", path != NULL ? path : name) != NULL;
}

static bool open_file(BpfObject *self, const char *name, PyObject *source)
{
    PyObject *bytes = NULL;

    if (!PyUnicode_FSConverter(source, &bytes))
        return false;
    scope(scope_unref) PyObject *path = bytes;
    return object_open(self, name, PyBytes_AsString(path), NULL);
}

static bool open_memory(BpfObject *self, const char *name, PyObject *source)
{
    scope(scope_release) Py_buffer image = {0};

    return PyObject_GetBuffer(source, &image, PyBUF_SIMPLE) == 0
           && object_open(self, name, NULL, &image);
}

static int object_init(BpfObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"source", "name", NULL};
    const char *name = "memprobe";
    PyObject *source;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$s:BpfObject", names, &source, &name))
        return -1;
    if (self->busy || self->object != NULL) {
        PyErr_SetString(PyExc_ValueError, "this BPF object is open already");
        return -1;
    }
    self->loaded = false;
    bool opened = PyObject_CheckBuffer(source) ? open_memory(self, name, source)
                                               : open_file(self, name, source);
    return opened ? 0 : -1;
}

/* Whether it is open and not loaded yet. */
static bool can_prepare(const BpfObject *self, const char *what)
{
    if (!bpf_object_is_usable(self))
        return false;
    if (self->loaded)
        PyErr_Format(PyExc_ValueError, "%s cannot be set: the object is loaded", what);
    return !self->loaded;
}

static PyObject *set_bytes(BpfObject *self, const struct bpf_variable *variable, const char *name,
                           const Py_buffer *value)
{
    if ((size_t)value->len != variable->size)
        return PyErr_Format(PyExc_ValueError, "%s has %zu bytes, not %zd", name, variable->size,
                            value->len);
    if (!self->loaded) {
        memcpy(variable->value, value->buf, variable->size);
        Py_RETURN_NONE;
    }
    int err = bpf_variable_write(variable, value->buf);
    return err != 0 ? bpf_failed(self, err, "set", name) : Py_NewRef(Py_None);
}

static PyObject *object_set_constant(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer value = {0};
    struct bpf_variable constant;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*:set_constant", &name, &value) || !can_prepare(self, name))
        return NULL;
    if (bpf_constant_find(self->object, name, &constant) != 0)
        return PyErr_Format(PyExc_KeyError, "the BPF object has no constant %s", name);
    return set_bytes(self, &constant, name, &value);
}

static PyObject *object_set_variable(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer value = {0};
    struct bpf_variable variable;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*:set_variable", &name, &value) || !bpf_object_is_usable(self))
        return NULL;
    if (bpf_variable_find(self->object, name, &variable) != 0)
        return PyErr_Format(PyExc_KeyError, "the BPF object has no variable %s", name);
    return set_bytes(self, &variable, name, &value);
}

static PyObject *object_has_constant(BpfObject *self, PyObject *arguments)
{
    struct bpf_variable constant;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "s:has_constant", &name) || !bpf_object_is_usable(self))
        return NULL;
    return PyBool_FromLong(bpf_constant_find(self->object, name, &constant) == 0);
}

static PyObject *object_leave_out(BpfObject *self, PyObject *arguments)
{
    const char *name;

    if (!PyArg_ParseTuple(arguments, "s:leave_out", &name) || !can_prepare(self, name))
        return NULL;
    struct bpf_program *program = bpf_object_program(self, name);
    if (program == NULL)
        return NULL;
    int err = bpf_program__set_autoload(program, false);
    return err != 0 ? bpf_failed(self, err, "leave out", name) : Py_NewRef(Py_None);
}

static PyObject *object_attach_to_many(BpfObject *self, PyObject *arguments)
{
    const char *name;

    if (!PyArg_ParseTuple(arguments, "s:attach_to_many", &name) || !can_prepare(self, name))
        return NULL;
    struct bpf_program *program = bpf_object_program(self, name);
    if (program == NULL)
        return NULL;
    int err = bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)BPF_MANY_UPROBES);
    return err != 0 ? bpf_failed(self, err, "prepare", name) : Py_NewRef(Py_None);
}

static PyObject *object_resize_map(BpfObject *self, PyObject *arguments)
{
    unsigned int entries;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sI:resize_map", &name, &entries) || !can_prepare(self, name))
        return NULL;
    struct bpf_map *map = bpf_object_map(self, name);
    if (map == NULL)
        return NULL;
    int err = bpf_map__set_max_entries(map, entries);
    return err != 0 ? bpf_failed(self, err, "resize map", name) : Py_NewRef(Py_None);
}

static bool is_same_shape(const struct bpf_map *left, const struct bpf_map *right)
{
    return bpf_map__type(left) == bpf_map__type(right)
           && bpf_map__key_size(left) == bpf_map__key_size(right)
           && bpf_map__value_size(left) == bpf_map__value_size(right);
}

/* Use the map of that name which `other` has made. libbpf would not look whether it fits. */
static int share(struct bpf_map *map, const struct bpf_map *from)
{
    return is_same_shape(map, from) ? bpf_map__reuse_fd(map, bpf_map__fd(from)) : -EMEDIUMTYPE;
}

static PyObject *object_share_maps(BpfObject *self, PyObject *arguments)
{
    PyObject *given;
    struct bpf_map *map;

    if (!PyArg_ParseTuple(arguments, "O!:share_maps", Py_TYPE((PyObject *)self), &given)
        || !can_prepare(self, "a map"))
        return NULL;
    const BpfObject *other = (BpfObject *)given;
    if (!bpf_object_is_loaded(other))
        return NULL;
    bpf_object__for_each_map(map, self->object) {
        const char *name = bpf_map__name(map);
        const struct bpf_map *from = bpf_object__find_map_by_name(other->object, name);
        if (from == NULL || bpf_map__is_internal(map))
            continue;
        int err = share(map, from);
        if (err != 0)
            return bpf_failed(self, err, "share map", name);
    }
    Py_RETURN_NONE;
}

/* Of the 10 MB that a load takes, most is free again but not given back. */
static void give_back_memory(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static PyObject *object_load(BpfObject *self, PyObject *Py_UNUSED(ignored))
{
    struct bpf_call call;

    if (!bpf_object_is_usable(self))
        return NULL;
    if (self->loaded)
        return PyErr_Format(PyExc_ValueError, "the BPF object is loaded already");
    bpf_call_begin(&call, self);
    int err = bpf_object__load(self->object);
    give_back_memory();
    bpf_call_end(&call);
    if (err != 0)
        return bpf_call_failed(&call, err, "load", bpf_object__name(self->object));
    self->loaded = true;
    Py_RETURN_NONE;
}

static PyObject *object_programs(BpfObject *self, void *Py_UNUSED(closure))
{
    scope(scope_unref) PyObject *names = bpf_object_is_usable(self) ? PyList_New(0) : NULL;
    struct bpf_program *program;

    if (names == NULL)
        return NULL;
    bpf_object__for_each_program(program, self->object) {
        scope(scope_unref) PyObject *name = PyUnicode_FromString(bpf_program__name(program));
        if (name == NULL || PyList_Append(names, name) < 0)
            return NULL;
    }
    return PyList_AsTuple(names);
}

static PyObject *object_maps(BpfObject *self, void *Py_UNUSED(closure))
{
    scope(scope_unref) PyObject *names = bpf_object_is_usable(self) ? PyList_New(0) : NULL;
    struct bpf_map *map;

    if (names == NULL)
        return NULL;
    bpf_object__for_each_map(map, self->object) {
        scope(scope_unref) PyObject *name = PyUnicode_FromString(bpf_map__name(map));
        if (name == NULL || PyList_Append(names, name) < 0)
            return NULL;
    }
    return PyList_AsTuple(names);
}

static PyObject *object_close_method(BpfObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->object != NULL && !bpf_object_is_usable(self))
        return NULL;
    object_close(self);
    Py_RETURN_NONE;
}

static PyObject *object_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self);
}

static PyObject *object_exit(BpfObject *self, PyObject *Py_UNUSED(arguments))
{
    return object_close_method(self, NULL);
}

static PyMethodDef methods[] = {
    {"set_constant", METHOD(object_set_constant), METH_VARARGS, NULL},
    {"set_variable", METHOD(object_set_variable), METH_VARARGS, NULL},
    {"has_constant", METHOD(object_has_constant), METH_VARARGS, NULL},
    {"leave_out", METHOD(object_leave_out), METH_VARARGS, NULL},
    {"attach_to_many", METHOD(object_attach_to_many), METH_VARARGS, NULL},
    {"resize_map", METHOD(object_resize_map), METH_VARARGS, NULL},
    {"share_maps", METHOD(object_share_maps), METH_VARARGS, NULL},
    {"load", METHOD(object_load), METH_NOARGS, NULL},
    {"attach", METHOD(bpf_object_attach), METH_VARARGS, NULL},
    {"attach_tracepoint", METHOD(bpf_object_attach_tracepoint), METH_VARARGS, NULL},
    {"attach_uprobe", METHOD(bpf_object_attach_uprobe), METH_VARARGS | METH_KEYWORDS, NULL},
    {"attach_uprobes", METHOD(bpf_object_attach_uprobes), METH_VARARGS, NULL},
    {"attach_event", METHOD(bpf_object_attach_event), METH_VARARGS | METH_KEYWORDS, NULL},
    {"attach_watchpoint", METHOD(bpf_object_attach_watchpoint), METH_VARARGS | METH_KEYWORDS, NULL},
    {"detach", METHOD(bpf_object_detach), METH_VARARGS, NULL},
    {"iterate", METHOD(bpf_object_iterate), METH_VARARGS | METH_KEYWORDS, NULL},
    {"run", METHOD(bpf_object_run), METH_VARARGS, NULL},
    {"read_map", METHOD(bpf_object_read_map), METH_VARARGS, NULL},
    {"write_map", METHOD(bpf_object_write_map), METH_VARARGS, NULL},
    {"delete_from_map", METHOD(bpf_object_delete_from_map), METH_VARARGS, NULL},
    {"drain_map", METHOD(bpf_object_drain_map), METH_VARARGS, NULL},
    {"close", METHOD(object_close_method), METH_NOARGS, NULL},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", METHOD(object_exit), METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"programs", (getter)object_programs, NULL, NULL, NULL},
    {"maps", (getter)object_maps, NULL, NULL, NULL},
    {"run_counts", (getter)bpf_object_run_counts, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_init, object_init},
    {Py_tp_dealloc, object_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {0, NULL},
};

PyType_Spec bpf_object_spec = {
    .name = "memprobe.native._bpf.BpfObject",
    .basicsize = sizeof(BpfObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

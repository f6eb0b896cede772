#include "bpf_object.h"

#include "bpf_constant.h"
#include "bpf_log.h"
#include "errors.h"
#include "scope.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    struct bpf_object *object; /* NULL once closed */
    struct bpf_link **links;
    size_t link_count;
    bool loaded;
    bool busy; /* a call that has released the GIL is using it */
} BpfObject;

/* libbpf is called with the GIL released and its log caught; every such call begins and ends here. */
struct call {
    BpfObject *self;
    PyThreadState *thread;
    struct bpf_log log;
};

static void call_begin(struct call *call, BpfObject *self)
{
    call->self = self;
    self->busy = true;
    bpf_log_begin(&call->log);
    call->thread = PyEval_SaveThread();
}

static void call_end(struct call *call)
{
    PyEval_RestoreThread(call->thread);
    bpf_log_end();
    call->self->busy = false;
}

static PyObject *call_failed(const struct call *call, int err, const char *doing, const char *what)
{
    const struct bpf_state *state = PyType_GetModuleState(Py_TYPE((PyObject *)call->self));
    struct bpf_failure failure = {
        .err = err,
        .doing = doing,
        .what = what,
        .log = call->log.text,
        .log_length = call->log.length,
    };

    libbpf_strerror(err, failure.reason, sizeof(failure.reason));
    return raise_bpf_error(state->error, &failure);
}

static bool refuse(PyObject *kind, const char *why)
{
    PyErr_SetString(kind, why);
    return false;
}

static bool is_usable(const BpfObject *self)
{
    if (self->busy)
        return refuse(PyExc_RuntimeError, "another thread is using this BPF object");
    if (self->object == NULL)
        return refuse(PyExc_ValueError, "this BPF object is closed");
    return true;
}

static bool is_usable_and_loaded(const BpfObject *self)
{
    return is_usable(self) && (self->loaded || refuse(PyExc_ValueError, "load() has not been called"));
}

/* Links before their programs: nothing may fire into what is being taken down. */
static void let_go(struct bpf_object *object, struct bpf_link **links, size_t count)
{
    while (count > 0)
        bpf_link__destroy(links[--count]);
    free(links);
    bpf_object__close(object);
}

static void object_close(BpfObject *self)
{
    struct bpf_object *object = self->object;
    struct bpf_link **links = self->links;
    size_t count = self->link_count;

    self->object = NULL;
    self->links = NULL;
    self->link_count = 0;
    Py_BEGIN_ALLOW_THREADS
    let_go(object, links, count);
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
    struct call call;
    int err;

    call_begin(&call, self);
    self->object = path != NULL ? bpf_object__open_file(path, &options)
                                : bpf_object__open_mem(image->buf, (size_t)image->len, &options);
    err = errno;
    call_end(&call);
    return self->object != NULL || call_failed(&call, err, "open", path != NULL ? path : name) != NULL;
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
        refuse(PyExc_ValueError, "this BPF object is open already");
        return -1;
    }
    self->loaded = false;
    bool opened = PyObject_CheckBuffer(source) ? open_memory(self, name, source)
                                               : open_file(self, name, source);
    return opened ? 0 : -1;
}

static PyObject *object_set_constant(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer value = {0};
    struct bpf_constant constant;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*:set_constant", &name, &value) || !is_usable(self))
        return NULL;
    if (self->loaded)
        return PyErr_Format(PyExc_ValueError, "%s cannot be set: the object is loaded", name);
    int err = bpf_constant_find(self->object, name, &constant);
    if (err != 0)
        return PyErr_Format(PyExc_KeyError, "the BPF object has no constant %s", name);
    if ((size_t)value.len != constant.size)
        return PyErr_Format(PyExc_ValueError, "%s has %zu bytes, not %zd", name, constant.size,
                            value.len);
    memcpy(constant.value, value.buf, constant.size);
    Py_RETURN_NONE;
}

static PyObject *object_load(BpfObject *self, PyObject *Py_UNUSED(ignored))
{
    struct call call;

    if (!is_usable(self))
        return NULL;
    if (self->loaded)
        return PyErr_Format(PyExc_ValueError, "the BPF object is loaded already");
    call_begin(&call, self);
    int err = bpf_object__load(self->object);
    call_end(&call);
    if (err != 0)
        return call_failed(&call, err, "load", bpf_object__name(self->object));
    self->loaded = true;
    Py_RETURN_NONE;
}

/* Make room before attaching, so that a link that exists can always be kept. */
static bool links_reserve(BpfObject *self)
{
    size_t size = (self->link_count + 1) * sizeof(struct bpf_link *);
    struct bpf_link **links = realloc(self->links, size);

    if (links == NULL) {
        PyErr_NoMemory();
        return false;
    }
    self->links = links;
    return true;
}

static PyObject *object_attach(BpfObject *self, PyObject *arguments)
{
    struct call call;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "s:attach", &name) || !is_usable_and_loaded(self))
        return NULL;
    struct bpf_program *program = bpf_object__find_program_by_name(self->object, name);
    if (program == NULL)
        return PyErr_Format(PyExc_KeyError, "the BPF object has no program %s", name);
    if (!links_reserve(self))
        return NULL;
    call_begin(&call, self);
    struct bpf_link *link = bpf_program__attach(program);
    int err = errno;
    call_end(&call);
    if (link == NULL)
        return call_failed(&call, err, "attach", name);
    self->links[self->link_count++] = link;
    Py_RETURN_NONE;
}

static struct bpf_map *find_map(const BpfObject *self, const char *name)
{
    struct bpf_map *map = bpf_object__find_map_by_name(self->object, name);

    if (map == NULL)
        PyErr_Format(PyExc_KeyError, "the BPF object has no map %s", name);
    return map;
}

/* A per-CPU map gives one value for every CPU that the machine could have, each at 8 bytes. */
static Py_ssize_t value_size(const struct bpf_map *map)
{
    size_t size = bpf_map__value_size(map);

    switch (bpf_map__type(map)) {
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
        size = (size + 7) / 8 * 8 * (size_t)libbpf_num_possible_cpus();
        break;
    default:
        break;
    }
    return (Py_ssize_t)size;
}

static PyObject *lookup(BpfObject *self, const struct bpf_map *map, const Py_buffer *key)
{
    scope(scope_unref) PyObject *value = PyBytes_FromStringAndSize(NULL, value_size(map));
    struct call call;

    if (value == NULL)
        return NULL;
    char *room = PyBytes_AsString(value);
    size_t size = (size_t)PyBytes_Size(value);
    call_begin(&call, self);
    int err = bpf_map__lookup_elem(map, key->buf, (size_t)key->len, room, size, 0);
    call_end(&call);
    if (err == -ENOENT)
        Py_RETURN_NONE;
    if (err != 0)
        return call_failed(&call, err, "read map", bpf_map__name(map));
    return Py_NewRef(value);
}

static PyObject *object_read_map(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer key = {0};
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*:read_map", &name, &key) || !is_usable_and_loaded(self))
        return NULL;
    const struct bpf_map *map = find_map(self, name);
    if (map == NULL)
        return NULL;
    if ((size_t)key.len != bpf_map__key_size(map))
        return PyErr_Format(PyExc_ValueError, "a key of %s has %u bytes, not %zd", name,
                            bpf_map__key_size(map), key.len);
    return lookup(self, map, &key);
}

static PyObject *object_programs(BpfObject *self, void *Py_UNUSED(closure))
{
    scope(scope_unref) PyObject *names = is_usable(self) ? PyList_New(0) : NULL;
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
    scope(scope_unref) PyObject *names = is_usable(self) ? PyList_New(0) : NULL;
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
    if (self->object != NULL && !is_usable(self))
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

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"set_constant", METHOD(object_set_constant), METH_VARARGS, NULL},
    {"load", METHOD(object_load), METH_NOARGS, NULL},
    {"attach", METHOD(object_attach), METH_VARARGS, NULL},
    {"read_map", METHOD(object_read_map), METH_VARARGS, NULL},
    {"close", METHOD(object_close_method), METH_NOARGS, NULL},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", METHOD(object_exit), METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"programs", (getter)object_programs, NULL, NULL, NULL},
    {"maps", (getter)object_maps, NULL, NULL, NULL},
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

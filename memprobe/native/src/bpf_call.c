#include "bpf_object.h"
#include "errors.h"

void bpf_call_begin(struct bpf_call *call, BpfObject *self)
{
    call->self = self;
    self->busy = true;
    bpf_log_begin(&call->log);
    call->thread = PyEval_SaveThread();
}

void bpf_call_end(struct bpf_call *call)
{
    PyEval_RestoreThread(call->thread);
    bpf_log_end();
    call->self->busy = false;
}

static PyObject *failed(BpfObject *self, int err, const char *doing, const char *what,
                        const struct bpf_log *log)
{
    const struct bpf_state *state = PyType_GetModuleState(Py_TYPE((PyObject *)self));
    struct bpf_failure failure = {
        .err = err,
        .doing = doing,
        .what = what,
        .log = log != NULL ? log->text : "",
        .log_length = log != NULL ? log->length : 0,
    };

    libbpf_strerror(err, failure.reason, sizeof(failure.reason));
    return raise_bpf_error(state->error, &failure);
}

PyObject *bpf_call_failed(const struct bpf_call *call, int err, const char *doing, const char *what)
{
    return failed(call->self, err, doing, what, &call->log);
}

PyObject *bpf_failed(BpfObject *self, int err, const char *doing, const char *what)
{
    return failed(self, err, doing, what, NULL);
}

static bool refuse(PyObject *kind, const char *why)
{
    PyErr_SetString(kind, why);
    return false;
}

bool bpf_object_is_usable(const BpfObject *self)
{
    if (self->busy)
        return refuse(PyExc_RuntimeError, "another thread is using this BPF object");
    if (self->object == NULL)
        return refuse(PyExc_ValueError, "this BPF object is closed");
    return true;
}

bool bpf_object_is_loaded(const BpfObject *self)
{
    return bpf_object_is_usable(self)
           && (self->loaded || refuse(PyExc_ValueError, "load() has not been called"));
}

struct bpf_program *bpf_object_program(const BpfObject *self, const char *name)
{
    struct bpf_program *program = bpf_object__find_program_by_name(self->object, name);

    if (program == NULL)
        PyErr_Format(PyExc_KeyError, "the BPF object has no program %s", name);
    return program;
}

struct bpf_map *bpf_object_map(const BpfObject *self, const char *name)
{
    struct bpf_map *map = bpf_object__find_map_by_name(self->object, name);

    if (map == NULL)
        PyErr_Format(PyExc_KeyError, "the BPF object has no map %s", name);
    return map;
}

/* Attaching and detaching: the Python face of bpf_attachment.c. */
#include "bpf_object.h"
#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Make room before attaching, so that what is attached can always be kept. */
static bool reserve_one(BpfObject *self)
{
    size_t size = (self->attachment_count + 1) * sizeof(struct bpf_attachment);
    struct bpf_attachment *attachments = realloc(self->attachments, size);

    if (attachments == NULL) {
        PyErr_NoMemory();
        return false;
    }
    self->attachments = attachments;
    return true;
}

/* The descriptor of a program that can be attached now, or -1 with an exception. */
static int ready_program(BpfObject *self, const char *name)
{
    struct bpf_program *program = bpf_object_is_loaded(self) ? bpf_object_program(self, name) : NULL;

    if (program == NULL || !reserve_one(self))
        return -1;
    int descriptor = bpf_program__fd(program);
    if (descriptor < 0) {
        PyErr_Format(PyExc_ValueError, "the program %s was left out of the load", name);
        return -1;
    }
    return descriptor;
}

static PyObject *keep(BpfObject *self, struct bpf_attachment made)
{
    self->attachments[self->attachment_count] = made;
    return PyLong_FromSize_t(self->attachment_count++);
}

PyObject *bpf_object_attach(BpfObject *self, PyObject *arguments)
{
    struct bpf_attachment made = NO_ATTACHMENT;
    struct bpf_call call;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "s:attach", &name))
        return NULL;
    int program = ready_program(self, name);
    if (program < 0)
        return NULL;
    const char *section
        = bpf_program__section_name(bpf_object__find_program_by_name(self->object, name));
    const char *point = strchr(section, '/');
    if (point == NULL || strncmp(section, "raw_tp/", 7) != 0)
        return PyErr_Format(PyExc_ValueError, "the section of %s names no raw tracepoint", name);
    bpf_call_begin(&call, self);
    int err = bpf_attach_raw_tracepoint(program, point + 1, &made);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "attach", name) : keep(self, made);
}

static PyObject *attach_event(BpfObject *self, const char *name, int program,
                              const struct perf_event_attr *what, struct event_scope watched)
{
    struct bpf_attachment made = NO_ATTACHMENT;
    struct bpf_call call;

    bpf_call_begin(&call, self);
    int err = bpf_attach_event(program, what, watched, 0, &made);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "attach", name) : keep(self, made);
}

PyObject *bpf_object_attach_tracepoint(BpfObject *self, PyObject *arguments)
{
    struct perf_event_attr what
        = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(what), .sample_period = 1, .disabled = 1};
    unsigned int number;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sI:attach_tracepoint", &name, &number))
        return NULL;
    what.config = number;
    int program = ready_program(self, name);
    /* A tracepoint's program runs on every CPU, whichever one its event is on. */
    return program < 0 ? NULL
                       : attach_event(self, name, program, &what, (struct event_scope){-1, 0});
}

PyObject *bpf_object_attach_event(BpfObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"program", "kind", "config", "period", "tid", "inherit", NULL};
    struct perf_event_attr what = {.size = sizeof(what), .disabled = 1};
    unsigned int kind = 0;
    unsigned long long config = 0, period = 0;
    int tid = 0, inherit = 0;
    const char *name;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "s|$IKKip:attach_event", names, &name, &kind,
                                     &config, &period, &tid, &inherit))
        return NULL;
    if (tid <= 0)
        return PyErr_Format(PyExc_ValueError, "an event of thread %d", tid);
    what.type = kind;
    what.config = config;
    what.sample_period = period;
    what.inherit = inherit != 0;
    int program = ready_program(self, name);
    return program < 0 ? NULL
                       : attach_event(self, name, program, &what, (struct event_scope){tid, -1});
}

static PyObject *attach_uprobe(BpfObject *self, const char *name, int program,
                               const struct uprobe_place *place)
{
    struct bpf_attachment made = NO_ATTACHMENT;
    struct bpf_call call;

    bpf_call_begin(&call, self);
    int err = bpf_attach_uprobe(program, place, &made);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "attach", name) : keep(self, made);
}

PyObject *bpf_object_attach_uprobe(BpfObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"program", "path", "offset", "pid", "cookie", "semaphore", NULL};
    unsigned long long offset, cookie = 0, semaphore = 0;
    PyObject *bytes = NULL;
    const char *name;
    int pid;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "sO&Ki|KK:attach_uprobe", names, &name,
                                     PyUnicode_FSConverter, &bytes, &offset, &pid, &cookie, &semaphore))
        return NULL;
    scope(scope_unref) PyObject *path = bytes;
    int program = ready_program(self, name);
    if (program < 0)
        return NULL;
    struct uprobe_place place = {
        .path = PyBytes_AsString(path),
        .offset = offset,
        .semaphore = semaphore,
        .cookie = cookie,
        .pid = pid,
    };
    return attach_uprobe(self, name, program, &place);
}

static PyObject *attach_uprobes(BpfObject *self, const char *name, const struct uprobe_places *places)
{
    struct bpf_attachment made = NO_ATTACHMENT;
    struct bpf_call call;
    int program = ready_program(self, name);

    if (program < 0)
        return NULL;
    bpf_call_begin(&call, self);
    int err = bpf_attach_uprobes(program, places, &made);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "attach", name) : keep(self, made);
}

PyObject *bpf_object_attach_uprobes(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer offsets = {0};
    scope(scope_release) Py_buffer cookies = {0};
    scope(scope_release) Py_buffer semaphores = {0};
    PyObject *bytes = NULL;
    const char *name;
    int pid;

    if (!PyArg_ParseTuple(arguments, "sO&y*y*y*i:attach_uprobes", &name, PyUnicode_FSConverter, &bytes,
                          &offsets, &cookies, &semaphores, &pid))
        return NULL;
    scope(scope_unref) PyObject *path = bytes;
    if (offsets.len != cookies.len || offsets.len != semaphores.len || offsets.len % 8 != 0 ||
        offsets.len == 0 || pid < -1 || pid == 0)
        return PyErr_Format(PyExc_ValueError,
                            "%zd bytes of offsets, %zd of cookies, %zd of semaphores, process %d",
                            offsets.len, cookies.len, semaphores.len, pid);
    struct uprobe_places places = {
        .path = PyBytes_AsString(path),
        .offsets = offsets.buf,
        .semaphores = semaphores.buf,
        .cookies = cookies.buf,
        .count = (uint32_t)(offsets.len / 8),
        .pid = pid,
    };
    return attach_uprobes(self, name, &places);
}

static PyObject *attach_watchpoint(BpfObject *self, const char *name, int program,
                                   const struct watchpoint *place)
{
    struct bpf_attachment made = NO_ATTACHMENT;
    struct bpf_call call;

    bpf_call_begin(&call, self);
    int err = bpf_attach_watchpoint(program, place, &made);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "attach", name) : keep(self, made);
}

PyObject *bpf_object_attach_watchpoint(BpfObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"program", "address", "tid", "width", "limit", NULL};
    struct watchpoint place = {.width = 8};
    unsigned long long address = 0, width = 8;
    const char *name;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "s|$KiKi:attach_watchpoint", names, &name,
                                     &address, &place.tid, &width, &place.limit))
        return NULL;
    if (place.tid <= 0 || place.limit < 0 || (width != 4 && width != 8))
        return PyErr_Format(PyExc_ValueError, "a watchpoint of thread %d on %llu bytes, for %d hits",
                            place.tid, width, place.limit);
    place.address = address;
    place.width = width;
    int program = ready_program(self, name);
    return program < 0 ? NULL : attach_watchpoint(self, name, program, &place);
}

/* Take one attachment out by its number; one that is gone already is nothing. */
static bool take(BpfObject *self, PyObject *number, struct bpf_attachment *ret)
{
    size_t index = PyLong_AsSize_t(number);

    if (index == (size_t)-1 && PyErr_Occurred())
        return false;
    if (index >= self->attachment_count) {
        PyErr_Format(PyExc_KeyError, "the BPF object has no attachment %zu", index);
        return false;
    }
    *ret = self->attachments[index];
    self->attachments[index] = NO_ATTACHMENT;
    return true;
}

/* All or, with an exception, as many as were good numbers. */
static bool take_all(BpfObject *self, PyObject *numbers, struct bpf_attachment *ret, size_t *count)
{
    Py_ssize_t size = PyTuple_Size(numbers);

    for (*count = 0; *count < (size_t)size; (*count)++)
        if (!take(self, PyTuple_GetItem(numbers, (Py_ssize_t)*count), &ret[*count]))
            return false;
    return true;
}

PyObject *bpf_object_detach(BpfObject *self, PyObject *arguments)
{
    scope(scope_unref) PyObject *numbers = NULL;
    size_t count = 0;

    if (!bpf_object_is_usable(self))
        return NULL;
    numbers = PySequence_Tuple(arguments);
    if (numbers == NULL)
        return NULL;
    scope(scope_free) struct bpf_attachment *taken
        = calloc((size_t)PyTuple_Size(numbers) + 1, sizeof(*taken));
    if (taken == NULL)
        return PyErr_NoMemory();
    bool good = take_all(self, numbers, taken, &count);
    Py_BEGIN_ALLOW_THREADS
    for (size_t i = 0; i < count; i++)
        bpf_attachment_close(&taken[i]);
    Py_END_ALLOW_THREADS
    return good ? Py_NewRef(Py_None) : NULL;
}

/* detach_aside([(object, number), ...]) */
static bool take_pair(const struct bpf_state *state, PyObject *pair, struct bpf_attachment *ret)
{
    PyObject *object, *number;

    if (!PyArg_ParseTuple(pair, "O!O", state->object, &object, &number))
        return false;
    return take((BpfObject *)object, number, ret);
}

PyObject *bpf_detach_aside(PyObject *module, PyObject *argument)
{
    const struct bpf_state *state = PyModule_GetState(module);
    scope(scope_unref) PyObject *pairs = PySequence_Tuple(argument);
    bool good = true;
    size_t count = 0;

    if (pairs == NULL)
        return NULL;
    size_t size = (size_t)PyTuple_Size(pairs);
    scope(scope_free) struct bpf_attachment *taken = calloc(size + 1, sizeof(*taken));
    if (taken == NULL)
        return PyErr_NoMemory();
    for (; good && count < size; count += good)
        good = take_pair(state, PyTuple_GetItem(pairs, (Py_ssize_t)count), &taken[count]);
    Py_BEGIN_ALLOW_THREADS
    bpf_attachments_close_aside(taken, count);
    Py_END_ALLOW_THREADS
    return good ? Py_NewRef(Py_None) : NULL;
}

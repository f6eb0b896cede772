/* Loaded programs: what they have cost, and those that memprobe runs itself. */
#include "bpf_object.h"
#include "scope.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A target with 10,000 threads gives 400,000 bytes; a census of a whole large machine some millions. */
#define MAX_ITERATION_BYTES (64 << 20)
#define ITERATION_STEP (1 << 16)

struct content {
    char *bytes;
    size_t size, room;
};

static int make_room(struct content *content)
{
    if (content->room - content->size >= ITERATION_STEP)
        return 0;
    size_t room = content->room * 2 + ITERATION_STEP;
    char *bytes = realloc(content->bytes, room);
    if (bytes == NULL)
        return -ENOMEM;
    content->bytes = bytes;
    content->room = room;
    return 0;
}

static int read_to_end(int descriptor, struct content *ret)
{
    for (;;) {
        int err = make_room(ret);
        if (err != 0)
            return err;
        ssize_t got = read(descriptor, ret->bytes + ret->size, ret->room - ret->size);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (got > 0)
            ret->size += (size_t)got;
        if (ret->size > MAX_ITERATION_BYTES)
            return -EFBIG;
    }
}

/* What kernels from 6.1 on understand as `task` of union bpf_iter_link_info; older ones go over all tasks. */
struct task_choice {
    __u32 tid; /* one thread */
    __u32 pid; /* all threads of a process */
    __u32 pid_fd;
};

static int open_iterator(int program, struct task_choice *choice)
{
    LIBBPF_OPTS(bpf_link_create_opts, options);

    if (choice->tid != 0 || choice->pid != 0) {
        options.iter_info = (union bpf_iter_link_info *)(void *)choice;
        options.iter_info_len = sizeof(*choice);
    }
    int link = bpf_link_create(program, 0, BPF_TRACE_ITER, &options);
    if ((link == -E2BIG || link == -EINVAL) && options.iter_info != NULL)
        link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
    return link;
}

static int iterate(int program, struct task_choice choice, struct content *ret)
{
    int link = open_iterator(program, &choice);

    if (link < 0)
        return link;
    int reader = bpf_iter_create(link);
    int err = reader < 0 ? reader : read_to_end(reader, ret);
    if (reader >= 0)
        close(reader);
    close(link);
    return err;
}

PyObject *bpf_object_iterate(BpfObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"program", "tid", "pid", NULL};
    struct content content = {0};
    struct task_choice choice = {0};
    struct bpf_call call;
    const char *name;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "s|$II:iterate", names, &name, &choice.tid,
                                     &choice.pid)
        || !bpf_object_is_loaded(self))
        return NULL;
    struct bpf_program *program = bpf_object_program(self, name);
    if (program == NULL)
        return NULL;
    bpf_call_begin(&call, self);
    int err = iterate(bpf_program__fd(program), choice, &content);
    bpf_call_end(&call);
    scope(scope_free) char *bytes = content.bytes;
    if (err != 0)
        return bpf_call_failed(&call, err, "read from", name);
    return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)content.size);
}

PyObject *bpf_object_run(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer given = {0};
    struct bpf_call call;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*:run", &name, &given) || !bpf_object_is_loaded(self))
        return NULL;
    const struct bpf_program *program = bpf_object_program(self, name);
    if (program == NULL)
        return NULL;
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = given.buf, .ctx_size_in = (__u32)given.len);
    bpf_call_begin(&call, self);
    int err = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "run", name) : PyLong_FromUnsignedLong(options.retval);
}

/* (runs, nanoseconds, runs that were skipped because the program was running already) */
static PyObject *counts_of(BpfObject *self, const struct bpf_program *program)
{
    struct bpf_prog_info info = {0};
    __u32 size = sizeof(info);
    int err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);

    if (err != 0)
        return bpf_failed(self, err, "ask about", bpf_program__name(program));
    return Py_BuildValue("KKK", (unsigned long long)info.run_cnt, (unsigned long long)info.run_time_ns,
                         (unsigned long long)info.recursion_misses);
}

PyObject *bpf_object_run_counts(BpfObject *self, void *Py_UNUSED(closure))
{
    scope(scope_unref) PyObject *counts = bpf_object_is_loaded(self) ? PyDict_New() : NULL;
    struct bpf_program *program;

    if (counts == NULL)
        return NULL;
    bpf_object__for_each_program(program, self->object) {
        if (bpf_program__fd(program) < 0)
            continue;
        scope(scope_unref) PyObject *numbers = counts_of(self, program);
        if (numbers == NULL || PyDict_SetItemString(counts, bpf_program__name(program), numbers) < 0)
            return NULL;
    }
    return Py_NewRef(counts);
}

PyObject *bpf_enable_statistics(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    int descriptor = bpf_enable_stats(BPF_STATS_RUN_TIME);

    (void)module;
    if (descriptor < 0) {
        errno = -descriptor;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLong(descriptor);
}

PyObject *bpf_has_helper(PyObject *module, PyObject *arguments)
{
    int number, known;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "i:has_helper", &number))
        return NULL;
    known = libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, (enum bpf_func_id)number, NULL);
    if (known < 0) {
        errno = -known;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyBool_FromLong(known);
}

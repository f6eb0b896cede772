#include "remote_methods.h"

#include "errors.h"
#include "remote_read.h"
#include "scope.h"

#include <stdbool.h>
#include <string.h>

/* The three buffers of read_regions, and private copies of the two that must not change (or be
 * misaligned) while the GIL is released. */
struct request {
    struct remote_process process;
    Py_buffer regions_buffer;
    Py_buffer destination;
    Py_buffer done_buffer;
    struct remote_region *regions;
    int64_t *done;
    size_t count;
};

static void scope_request(struct request *request)
{
    PyBuffer_Release(&request->regions_buffer);
    PyBuffer_Release(&request->destination);
    PyBuffer_Release(&request->done_buffer);
    free(request->regions);
    free(request->done);
}

static bool refuse(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return false;
}

/* Every size is checked here, so that remote_read.c need not know how large its buffers are. */
static bool request_check(const struct request *request)
{
    uint64_t room = (uint64_t)request->destination.len;

    for (size_t i = 0; i < request->count; i++) {
        if (request->regions[i].size > room)
            return refuse("destination is smaller than the regions together");
        room -= request->regions[i].size;
    }
    return true;
}

static bool request_copy(struct request *request)
{
    size_t length = (size_t)request->regions_buffer.len;

    if (length % sizeof(struct remote_region) != 0)
        return refuse("regions must be pairs of 64-bit address and size");
    request->count = length / sizeof(struct remote_region);
    if ((size_t)request->done_buffer.len != request->count * sizeof(int64_t))
        return refuse("done must have 8 bytes per region");
    /* calloc(0) may return NULL without being out of memory. */
    request->regions = calloc(request->count + 1, sizeof(struct remote_region));
    request->done = calloc(request->count + 1, sizeof(int64_t));
    if (request->regions == NULL || request->done == NULL) {
        PyErr_NoMemory();
        return false;
    }
    if (length > 0)
        memcpy(request->regions, request->regions_buffer.buf, length);
    return true;
}

static bool request_parse(struct request *request, PyObject *arguments)
{
    struct remote_process *process = &request->process;

    return PyArg_ParseTuple(arguments, "iiiy*w*w*:read_regions", &process->pid, &process->pidfd,
                            &process->mem_fd, &request->regions_buffer, &request->destination,
                            &request->done_buffer)
           && request_copy(request) && request_check(request);
}

PyObject *read_regions(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    scope(scope_request) struct request request = {0};
    struct remote_result result;
    int err;

    if (!request_parse(&request, arguments))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = remote_read_many(&request.process, request.regions, request.count,
                           request.destination.buf, request.done, &result);
    Py_END_ALLOW_THREADS
    if (request.count > 0)
        memcpy(request.done_buffer.buf, request.done, request.count * sizeof(int64_t));
    if (err != 0)
        return raise_read_error(err, request.process.pid, result.address);
    return PyLong_FromUnsignedLongLong(result.bytes);
}

/* Cut `data` to the bytes that were read. */
static PyObject *shorten(PyObject *data, uint64_t size)
{
    return PyBytes_FromStringAndSize(PyBytes_AsString(data), (Py_ssize_t)size);
}

PyObject *read_region(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct remote_process process;
    struct remote_result result;
    unsigned long long address;
    Py_ssize_t size;
    int err;

    if (!PyArg_ParseTuple(arguments, "iiiKn:read_region", &process.pid, &process.pidfd,
                          &process.mem_fd, &address, &size)
        || (size < 0 && !refuse("size is below zero")))
        return NULL;
    scope(scope_unref) PyObject *data = PyBytes_FromStringAndSize(NULL, size);
    if (data == NULL)
        return NULL;
    struct remote_region region = {.address = address, .size = (uint64_t)size};
    unsigned char *bytes = (unsigned char *)PyBytes_AsString(data);
    Py_BEGIN_ALLOW_THREADS
    err = remote_read_one(&process, region, bytes, &result);
    Py_END_ALLOW_THREADS
    if (err != 0)
        return raise_read_error(err, process.pid, result.address);
    return result.bytes == region.size ? Py_NewRef(data) : shorten(data, result.bytes);
}

#include "errors.h"

#include "scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the two errnos mean here is not what strerror says about files. */
static const char *reason(int err)
{
    switch (err) {
    case ESRCH:
        return "the process has ended";
    case ESTALE:
        return "its address space has been replaced or torn down";
    default:
        return strerror(err);
    }
}

/* Set an attribute to a new reference, which is consumed. */
static int set_attribute(PyObject *object, const char *name, PyObject *value)
{
    scope(scope_unref) PyObject *owned = value;

    return owned == NULL ? -1 : PyObject_SetAttrString(object, name, owned);
}

static PyObject *raise_it(PyObject *error)
{
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    return NULL;
}

PyObject *raise_read_error(int err, pid_t pid, uint64_t address)
{
    char place[2 + 16 + 1]; /* PyUnicode_FromFormat knows no 64-bit hexadecimal before 3.12 */

    err = abs(err);
    snprintf(place, sizeof(place), "0x%" PRIx64, address);
    scope(scope_unref) PyObject *message
        = PyUnicode_FromFormat("reading pid %d at %s: %s", (int)pid, place, reason(err));
    if (message == NULL)
        return NULL;
    scope(scope_unref) PyObject *error = PyObject_CallFunction(PyExc_OSError, "iO", err, message);
    if (error == NULL
        || set_attribute(error, "pid", PyLong_FromLong(pid)) < 0
        || set_attribute(error, "address", PyLong_FromUnsignedLongLong(address)) < 0)
        return NULL;
    return raise_it(error);
}

/* The lines of a text as a tuple of str; what is not UTF-8 in it is replaced. */
static PyObject *split_lines(const char *text, size_t length)
{
    scope(scope_unref) PyObject *string
        = PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, "replace");
    scope(scope_unref) PyObject *lines = string == NULL ? NULL : PyUnicode_Splitlines(string, 0);

    return lines == NULL ? NULL : PyList_AsTuple(lines);
}

PyObject *raise_bpf_error(PyObject *kind, const struct bpf_failure *failure)
{
    scope(scope_unref) PyObject *message = PyUnicode_FromFormat(
        "cannot %s %s: %s", failure->doing, failure->what, failure->reason);
    if (message == NULL)
        return NULL;
    scope(scope_unref) PyObject *error
        = PyObject_CallFunction(kind, "iO", abs(failure->err), message);
    if (error == NULL
        || set_attribute(error, "log", split_lines(failure->log, failure->log_length)) < 0)
        return NULL;
    return raise_it(error);
}

#include "tracing.h"

#include <sys/ptrace.h>
#include <sys/types.h>

/* No PTRACE_ATTACH (it sends a signal that outlives the tracer) and no PTRACE_O_EXITKILL: with SEIZE and
 * INTERRUPT the end of the tracer, however it comes, lets every thread go on. Nothing is ever written. */
static PyObject *traced(enum __ptrace_request request, PyObject *thread)
{
    long number = PyLong_AsLong(thread);

    if (number == -1 && PyErr_Occurred())
        return NULL;
    if (ptrace(request, (pid_t)number, NULL, NULL) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyObject *trace_seize(PyObject *Py_UNUSED(module), PyObject *thread)
{
    return traced(PTRACE_SEIZE, thread);
}

PyObject *trace_interrupt(PyObject *Py_UNUSED(module), PyObject *thread)
{
    return traced(PTRACE_INTERRUPT, thread);
}

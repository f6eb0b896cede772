#include "lifetime.h"

#include <sys/prctl.h>

PyObject *set_parent_death_signal(PyObject *Py_UNUSED(module), PyObject *number)
{
    long signal = PyLong_AsLong(number);

    if (signal == -1 && PyErr_Occurred())
        return NULL;
    if (prctl(PR_SET_PDEATHSIG, signal) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

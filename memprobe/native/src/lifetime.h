/* Tying the life of a child process to that of its parent. */
#ifndef MEMPROBE_LIFETIME_H
#define MEMPROBE_LIFETIME_H

#include "python.h"

PyObject *set_parent_death_signal(PyObject *module, PyObject *number);

#endif

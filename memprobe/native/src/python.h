/* Python through its limited API: one build serves 3.11 and every later version. */
#ifndef MEMPROBE_PYTHON_H
#define MEMPROBE_PYTHON_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#endif

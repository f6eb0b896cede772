/* Everything of CPython's that the tables name, for each minor under its own headers. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <frameobject.h>
#include <structmember.h>
#include <datetime.h>
#if PY_MINOR_VERSION >= 9
#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#else
#include <internal/pycore_pymem.h>
#include <internal/pycore_object.h>
#endif
#include <internal/pycore_pystate.h>
#include <internal/pycore_gil.h>
#include <internal/pycore_hamt.h>
#include <internal/pycore_context.h>
#if PY_MINOR_VERSION >= 10
#include <internal/pycore_moduleobject.h>
#include <internal/pycore_unionobject.h>
#else
#include <code.h>
#endif
#if PY_MINOR_VERSION >= 11
#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_namespace.h>
#endif
#if PY_MINOR_VERSION >= 12
#include <internal/pycore_obmalloc.h>
#include <internal/pycore_object.h>
#include <internal/pycore_long.h>
#include <internal/pycore_descrobject.h>
#include <internal/pycore_list.h>
#include <internal/pycore_tuple.h>
#include <internal/pycore_typevarobject.h>
#endif
#if PY_MINOR_VERSION >= 13
#include <internal/pycore_stackref.h>
#include <internal/pycore_tstate.h>
#endif
#if PY_MINOR_VERSION >= 14
#include <internal/pycore_debug_offsets.h>
#include <internal/pycore_interpframe.h>
#endif

/* memprobe.native._bpf: the types and the module's start, nothing else.
 * Documentation is in _bpf.pyi. */
#include "bpf_log.h"
#include "bpf_object.h"
#include "ring_object.h"
#include "tracefs.h"
#include "scope.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

static int add_error(PyObject *module, struct bpf_state *state)
{
    state->error = PyErr_NewException("memprobe.native._bpf.BpfError", PyExc_OSError, NULL);
    return state->error == NULL ? -1 : PyModule_AddObjectRef(module, "BpfError", state->error);
}

static int add_object(PyObject *module, struct bpf_state *state)
{
    state->object = (PyTypeObject *)PyType_FromModuleAndSpec(module, &bpf_object_spec, NULL);
    return state->object == NULL ? -1 : PyModule_AddObjectRef(module, "BpfObject", (PyObject *)state->object);
}

static int add_ring(PyObject *module)
{
    scope(scope_unref) PyObject *type = PyType_FromModuleAndSpec(module, &bpf_ring_spec, NULL);

    return type == NULL ? -1 : PyModule_AddObjectRef(module, "Ring", type);
}

/* libbpf parses 5 MB of the kernel's types for each load, and a thread's own heap would keep the room. */
static void keep_one_heap(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);
#endif
}

static int start(PyObject *module)
{
    struct bpf_state *state = PyModule_GetState(module);

    keep_one_heap();
    bpf_log_install();
    if (add_error(module, state) < 0 || add_object(module, state) < 0)
        return -1;
    return add_ring(module);
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    const struct bpf_state *state = PyModule_GetState(module);

    if (state != NULL) {
        Py_VISIT(state->error);
        Py_VISIT(state->object);
    }
    return 0;
}

static int clear(PyObject *module)
{
    struct bpf_state *state = PyModule_GetState(module);

    if (state != NULL) {
        Py_CLEAR(state->error);
        Py_CLEAR(state->object);
    }
    return 0;
}

static PyMethodDef functions[] = {
    {"enable_statistics", bpf_enable_statistics, METH_NOARGS, NULL},
    {"has_helper", bpf_has_helper, METH_VARARGS, NULL},
    {"detach_aside", bpf_detach_aside, METH_O, NULL},
    {"open_tracefs", open_tracefs, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, start},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memprobe.native._bpf",
    .m_size = sizeof(struct bpf_state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
};

PyMODINIT_FUNC PyInit__bpf(void)
{
    return PyModuleDef_Init(&definition);
}

/* memprobe.native._bpf: the types and the module's start, nothing else.
 * Documentation is in _bpf.pyi. */
#include "bpf_log.h"
#include "bpf_object.h"
#include "scope.h"

static int add_error(PyObject *module, struct bpf_state *state)
{
    state->error = PyErr_NewException("memprobe.native._bpf.BpfError", PyExc_OSError, NULL);
    return state->error == NULL ? -1 : PyModule_AddObjectRef(module, "BpfError", state->error);
}

static int add_type(PyObject *module)
{
    scope(scope_unref) PyObject *type = PyType_FromModuleAndSpec(module, &bpf_object_spec, NULL);

    return type == NULL ? -1 : PyModule_AddObjectRef(module, "BpfObject", type);
}

static int start(PyObject *module)
{
    bpf_log_install();
    return add_error(module, PyModule_GetState(module)) < 0 ? -1 : add_type(module);
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    const struct bpf_state *state = PyModule_GetState(module);

    if (state != NULL)
        Py_VISIT(state->error);
    return 0;
}

static int clear(PyObject *module)
{
    struct bpf_state *state = PyModule_GetState(module);

    if (state != NULL)
        Py_CLEAR(state->error);
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, start},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memprobe.native._bpf",
    .m_size = sizeof(struct bpf_state),
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
};

PyMODINIT_FUNC PyInit__bpf(void)
{
    return PyModuleDef_Init(&definition);
}

/* memprobe.native._trace: the module's start, nothing else. Documentation is in _trace.pyi. */
#include "scope.h"
#include "trace_object.h"

static int start(PyObject *module)
{
    scope(scope_unref) PyObject *type = PyType_FromModuleAndSpec(module, &trace_object_spec, NULL);

    return type == NULL ? -1 : PyModule_AddObjectRef(module, "Tracer", type);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, start},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memprobe.native._trace",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__trace(void)
{
    return PyModuleDef_Init(&definition);
}

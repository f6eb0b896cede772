/* memprobe.native._heap: the type and the module's start, nothing else. Documentation is in _heap.pyi. */
#include "heap_object.h"
#include "scope.h"

static int start(PyObject *module)
{
    scope(scope_unref) PyObject *type = PyType_FromModuleAndSpec(module, &heap_object_spec, NULL);

    return type == NULL ? -1 : PyModule_AddObjectRef(module, "Heap", type);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, start},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memprobe.native._heap",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__heap(void)
{
    return PyModuleDef_Init(&definition);
}

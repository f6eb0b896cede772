/* memprobe.native._heap: the table, the types and the module's start, nothing else.
 * Documentation is in _heap.pyi. */
#include "big_object.h"
#include "graph_methods.h"
#include "heap_object.h"
#include "scope.h"

static int start(PyObject *module)
{
    scope(scope_unref) PyObject *type = PyType_FromModuleAndSpec(module, &heap_object_spec, NULL);

    return type == NULL ? -1 : PyModule_AddObjectRef(module, "Heap", type);
}

static PyMethodDef functions[] = {
    GRAPH_METHODS,
    {"set_memory_limit", set_memory_limit, METH_VARARGS, NULL},
    {"memory_in_use", memory_in_use, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, big_object_register},
    {Py_mod_exec, start},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memprobe.native._heap",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__heap(void)
{
    return PyModuleDef_Init(&definition);
}

/* memprobe.native._native: the method table and the module's start, nothing else.
 * Documentation is in _native.pyi. */
#include "lifetime.h"
#include "remote_methods.h"
#include "tracing.h"

static PyMethodDef methods[] = {
    {"read_regions", read_regions, METH_VARARGS, NULL},
    {"read_region", read_region, METH_VARARGS, NULL},
    {"set_parent_death_signal", set_parent_death_signal, METH_O, NULL},
    {"trace_seize", trace_seize, METH_O, NULL},
    {"trace_interrupt", trace_interrupt, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memprobe.native._native",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}

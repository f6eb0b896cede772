/* The Python type BpfObject: one compiled BPF object from opening it to letting go of it. */
#ifndef MEMPROBE_BPF_OBJECT_H
#define MEMPROBE_BPF_OBJECT_H

#include "python.h"

/* What the module keeps; a type finds it through PyType_GetModuleState. */
struct bpf_state {
    PyObject *error; /* the class BpfError */
};

extern PyType_Spec bpf_object_spec;

#endif

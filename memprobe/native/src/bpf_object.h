/* The Python type BpfObject: one compiled BPF object from opening it to letting go of it.
 * Its methods are spread over one file per topic; what they share is here. */
#ifndef MEMPROBE_BPF_OBJECT_H
#define MEMPROBE_BPF_OBJECT_H

#include "bpf_attachment.h"
#include "bpf_log.h"
#include "python.h"

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

/* What the module keeps; a type finds it through PyType_GetModuleState. */
struct bpf_state {
    PyObject *error;       /* the class BpfError */
    PyTypeObject *object;  /* the class BpfObject */
};

typedef struct {
    PyObject_HEAD
    struct bpf_object *object; /* NULL once closed */
    struct bpf_attachment *attachments;
    size_t attachment_count; /* of those ever made: a number is never given twice */
    bool loaded;
    bool busy; /* a call that has released the GIL is using it */
} BpfObject;

/* libbpf is called with the GIL released and its log caught; every such call begins and ends here. */
struct bpf_call {
    BpfObject *self;
    PyThreadState *thread;
    struct bpf_log log;
};

void bpf_call_begin(struct bpf_call *call, BpfObject *self);
void bpf_call_end(struct bpf_call *call);

/* Raise BpfError; `err` is positive or negative. Returns NULL. */
PyObject *bpf_call_failed(const struct bpf_call *call, int err, const char *doing, const char *what);

/* The same where there is no log to show. */
PyObject *bpf_failed(BpfObject *self, int err, const char *doing, const char *what);

/* False with an exception if it is closed, in use by another thread, or not loaded. */
bool bpf_object_is_usable(const BpfObject *self);
bool bpf_object_is_loaded(const BpfObject *self);

/* NULL with a KeyError. */
struct bpf_program *bpf_object_program(const BpfObject *self, const char *name);
struct bpf_map *bpf_object_map(const BpfObject *self, const char *name);

/* Methods of the other files. */
PyObject *bpf_object_attach(BpfObject *self, PyObject *arguments);
PyObject *bpf_object_attach_tracepoint(BpfObject *self, PyObject *arguments);
PyObject *bpf_object_attach_uprobe(BpfObject *self, PyObject *arguments, PyObject *keywords);
PyObject *bpf_object_attach_uprobes(BpfObject *self, PyObject *arguments);
PyObject *bpf_object_attach_event(BpfObject *self, PyObject *arguments, PyObject *keywords);
PyObject *bpf_object_attach_watchpoint(BpfObject *self, PyObject *arguments, PyObject *keywords);
PyObject *bpf_object_detach(BpfObject *self, PyObject *numbers);
PyObject *bpf_object_iterate(BpfObject *self, PyObject *arguments, PyObject *keywords);
PyObject *bpf_object_run(BpfObject *self, PyObject *arguments);
PyObject *bpf_object_run_counts(BpfObject *self, void *closure);
PyObject *bpf_object_read_map(BpfObject *self, PyObject *arguments);
PyObject *bpf_object_write_map(BpfObject *self, PyObject *arguments);
PyObject *bpf_object_delete_from_map(BpfObject *self, PyObject *arguments);
PyObject *bpf_object_drain_map(BpfObject *self, PyObject *arguments);

/* Functions of the module. */
PyObject *bpf_enable_statistics(PyObject *module, PyObject *ignored);
PyObject *bpf_has_helper(PyObject *module, PyObject *arguments);
PyObject *bpf_detach_aside(PyObject *module, PyObject *arguments);

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

extern PyType_Spec bpf_object_spec;

#endif

/* How an errno of C becomes an exception of Python; nothing else in the module raises OSError. */
#ifndef MEMPROBE_ERRORS_H
#define MEMPROBE_ERRORS_H

#include "python.h"

#include <stdint.h>
#include <sys/types.h>

/* Raise OSError (or the subclass that `err` selects) with the attributes pid and address.
 * `err` is positive or negative, either way the same errno. Returns NULL. */
PyObject *raise_read_error(int err, pid_t pid, uint64_t address);

/* A call of libbpf that failed. */
struct bpf_failure {
    int err;
    const char *doing; /* a verb: open, load, attach */
    const char *what;  /* the name of the object, program or map */
    char reason[128];  /* libbpf has errnos of its own, so it has to name them */
    const char *log;   /* not terminated */
    size_t log_length;
};

/* Raise `kind`, a class of OSError, with the lines of the log as its attribute `log`. */
PyObject *raise_bpf_error(PyObject *kind, const struct bpf_failure *failure);

#endif

#define _GNU_SOURCE

#include "tracefs.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/mount.h clashes with sys/mount.h in some C libraries; the numbers are the same on all machines. */
#define CALL_FSOPEN 430
#define CALL_FSCONFIG 431
#define CALL_FSMOUNT 432
#define FSOPEN_CLOEXEC 1
#define FSCONFIG_CMD_CREATE 6
#define FSMOUNT_CLOEXEC 1
#define MOUNT_ATTR_RDONLY 1

/* A mount that is in no namespace: it has no path, and is gone with its descriptor. */
static int mount_detached(const char *kind)
{
    int context = (int)syscall(CALL_FSOPEN, kind, FSOPEN_CLOEXEC);

    if (context < 0)
        return -errno;
    int root = (int)syscall(CALL_FSCONFIG, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (root == 0)
        root = (int)syscall(CALL_FSMOUNT, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
    if (root < 0)
        root = -errno;
    close(context);
    return root;
}

PyObject *open_tracefs(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    int root;

    Py_BEGIN_ALLOW_THREADS
    root = mount_detached("tracefs");
    Py_END_ALLOW_THREADS
    if (root < 0) {
        errno = -root;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLong(root);
}

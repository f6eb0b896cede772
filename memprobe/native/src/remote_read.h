/* Memory of another process, read in batches. Knows nothing of Python. */
#ifndef MEMPROBE_REMOTE_READ_H
#define MEMPROBE_REMOTE_READ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct remote_region {
    uint64_t address;
    uint64_t size;
};

/* One process, held three ways. The pid alone may come to mean another process; the pidfd tells
 * when it does. mem_fd is /proc/<pid>/mem: it stays with the address space that was there when it
 * was opened, and reads as end of file once that is gone. -1 stands for "have none". */
struct remote_process {
    pid_t pid;
    int pidfd;
    int mem_fd;
};

/* What a read came to. */
struct remote_result {
    uint64_t bytes;   /* read in all */
    uint64_t address; /* where it failed as a whole, if it did */
};

/* Fill `destination` with the regions back to back. done[i] becomes the bytes read of region i, or
 * -errno if it could not be read at all. `destination` must have room for all sizes together.
 *
 * Returns 0, or a negative errno if nothing that was read can be believed:
 * -ESRCH the process has ended, -ESTALE its address space has, -EPERM and others as the kernel says. */
int remote_read_many(const struct remote_process *process, const struct remote_region *regions,
                     size_t count, unsigned char *destination, int64_t *done,
                     struct remote_result *ret);

/* Read one region. On success ret->bytes says how much of it was there. */
int remote_read_one(const struct remote_process *process, struct remote_region region,
                    unsigned char *destination, struct remote_result *ret);

#endif

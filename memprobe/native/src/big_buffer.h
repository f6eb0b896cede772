/* Arrays with an entry per object of a heap: in memory, and beyond a limit in a file that has no name.
 * Knows nothing of Python. */
#ifndef MEMPROBE_BIG_BUFFER_H
#define MEMPROBE_BIG_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* All zero is a buffer of no bytes; big_close may always be called. */
struct big_buffer {
    void *data;
    size_t bytes;    /* what was asked for; all of it is zero at first */
    size_t capacity; /* what is mapped */
    int file;        /* descriptor + 1 of the unlinked file behind it, 0 for memory */
};

/* How many bytes all buffers together may have in memory, and the folder for the files of what goes
 * beyond (a disk, not a tmpfs; at most 200 characters). Returns 0 or -ENAMETOOLONG. */
int big_limit(uint64_t memory_bytes, const char *folder);

/* Bytes of all buffers at this moment, and at most since the last call of big_peak_reset. */
uint64_t big_bytes_now(void);
uint64_t big_bytes_peak(void);
void big_peak_reset(void);

/* Make `buffer`, which must be closed or all zero, one of `bytes` zeros. Returns 0 or a negative errno:
 * -ENOMEM, -ENOSPC (the room in a file is reserved, so that a full disk is an error and not a signal). */
int big_open(struct big_buffer *buffer, size_t bytes);

/* Set the size; new bytes are zero, `data` may move. Growing makes room for half as much again, so that
 * appending is cheap; big_trim gives back what is not needed. On failure the buffer is as it was. */
int big_resize(struct big_buffer *buffer, size_t bytes);
int big_trim(struct big_buffer *buffer);

void big_close(struct big_buffer *buffer);

/* For scope(scope_big). */
static inline void scope_big(struct big_buffer *buffer)
{
    big_close(buffer);
}

#endif

/* Writing a ring buffer as the kernel lays it out, into memory that is shared with its reader; knows no Python. */
#ifndef MEMPROBE_RING_WRITER_H
#define MEMPROBE_RING_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct ring_writer {
    unsigned char *data;
    size_t size; /* of data: a power of two */
    unsigned long *producer;
    const unsigned long *consumer;
};

/* Room for a record; NULL if the ring is full. One at a time: what is not submitted is not there. */
void *ring_reserve(const struct ring_writer *ring, uint32_t size);
void ring_submit(const struct ring_writer *ring, void *record);

/* Bytes that the reader has not taken yet. */
size_t ring_waiting(const struct ring_writer *ring);

#endif

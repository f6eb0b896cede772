/* Reading a BPF ring buffer: sorts its records by kind; knows no Python.
 *
 * Two passes: the first one measures, so that the caller can make room of exactly that size, the second one
 * copies. In between the records stay in the ring, where nobody but the reader takes them away. */
#ifndef MEMPROBE_RING_H
#define MEMPROBE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_KINDS 16

/* What the records of one kind amount to, in numbers or in memory. */
struct ring_sizes {
    size_t records;
    size_t tail_bytes; /* of all records, behind their heads */
};

struct ring_room {
    unsigned char *heads;  /* records * head_size */
    uint64_t *tail_ends;   /* where the tail of each record ends in tails */
    unsigned char *tails;
};

/* How records of one kind are taken apart. */
struct ring_shape {
    uint32_t head_size;   /* 0: this kind is not wanted */
    uint32_t tail_length; /* offset of the u32 in the head that says how much of the tail is used; 0: all */
};

struct ring {
    const unsigned char *data;
    size_t size;    /* of data: a power of two */
    size_t overlap; /* so much of it is mapped once more behind its end; no record is longer */
    unsigned long *consumer;
    const unsigned long *producer;
    size_t page;
    struct ring_shape shapes[RING_KINDS];
    uint64_t strange;  /* records that made no sense, ever */
    uint64_t unwanted; /* records of kinds that were not asked for, ever */
};

/* 0 or a negative errno. */
int ring_open(int map, size_t size, struct ring *ret);
void ring_close(struct ring *ring);

/* What there is to read now; the end of it goes to ring_copy. */
unsigned long ring_measure(const struct ring *ring, struct ring_sizes sizes[RING_KINDS]);

/* Copies what was measured and gives its place in the ring back. */
void ring_copy(struct ring *ring, unsigned long end, struct ring_room rooms[RING_KINDS]);

#endif

/* Reads the present pages of a process in bulk, into buffers that are used again. */
#ifndef MEMPROBE_HEAP_READER_H
#define MEMPROBE_HEAP_READER_H

#include "remote_read.h"

struct heap;

#define HEAP_STREAM_BYTES ((size_t)2 << 20)

/* Where pages are: of a window of the address space, from /proc/<pid>/pagemap. */
struct heap_pagemap {
    int fd;              /* -1: not known, all pages count as present */
    uint64_t start;      /* the first page of the window */
    size_t count;        /* pages in it, 0: none yet */
    uint64_t *entries;
};

struct heap_request;

struct heap_reader {
    struct remote_process process;
    struct heap_pagemap pagemap;
    uint64_t bytes_read, absent_bytes, swapped_bytes, unreadable_bytes;
    unsigned char *stream;         /* of heap_deliver */
    struct heap_request *sorted;   /* of heap_deliver: room to sort in */
    size_t sorted_capacity;
};

/* Allocate what the reader needs. Returns 0 or -ENOMEM. */
int heap_reader_open(struct heap_reader *reader);
void heap_reader_close(struct heap_reader *reader);

/* Fill `destination` with a range of the target's memory; what is absent, swapped out or unreadable
 * becomes zero. Returns 0, or a negative errno if the target is gone (-ESRCH, -ESTALE) or refuses. */
int heap_read(struct heap_reader *reader, uint64_t address, size_t size, uint8_t *destination);

/* How many bytes from an address on are present; at most `size`. Uses what heap_look_ahead loaded. */
size_t heap_present(struct heap_reader *reader, uint64_t address, size_t size);

/* How many bytes from an address on are not present, as far as one look at pagemap goes. */
uint64_t heap_absent(struct heap_reader *reader, uint64_t address, uint64_t size);

/* Ask pagemap about a range at once, before heap_present is asked about pieces of it. */
void heap_look_ahead(struct heap_reader *reader, uint64_t address, uint64_t size);

/* One region that is wanted, `tag` being the caller's. */
struct heap_request {
    uint64_t address;
    uint32_t bytes;
    uint32_t tag;
};

/* `data` has `bytes` bytes; less than were asked for where the memory ends or is absent. Nonzero ends
 * the delivery. */
typedef int (*heap_delivered)(void *state, const struct heap_request *request, const uint8_t *data,
                              uint32_t bytes);

/* Read many small scattered regions as a stream: sorts `requests` by address (in place), reads runs
 * of pages, and delivers each request, in order of address. A request larger than HEAP_LARGEST_REQUEST
 * is cut to it. */
#define HEAP_LARGEST_REQUEST (1u << 20)
int heap_deliver(struct heap *heap, struct heap_request *requests, size_t count,
                 heap_delivered deliver, void *state);

#endif

/* A part of the heap, chosen by the caller: some pools, some pieces of malloc's memory. */
#ifndef MEMPROBE_HEAP_SAMPLE_H
#define MEMPROBE_HEAP_SAMPLE_H

#include "heap_census.h"

/* What the header of a pool says. */
struct heap_pool_header {
    uint64_t address;
    uint32_t live;  /* blocks */
    uint32_t class; /* of sizes */
};

struct heap_pool_headers {
    struct heap_pool_header *headers; /* of pools in use, by address; the caller's to free */
    size_t count;
};

/* Read the header of every `step`-th pool. Returns 0 or a negative errno. */
int heap_read_pool_headers(struct heap *heap, uint64_t step, struct heap_pool_headers *ret);

/* Chunks that begin between start and stop, of a region that goes on to end. */
struct heap_piece {
    uint64_t start, stop, end, kind;
};

/* Which row of the census is what. */
struct heap_sample_key {
    uint32_t unit; /* the number of the pool, or behind those of the piece */
    uint32_t type;
};

struct heap_sample {
    struct heap_census census;
    struct heap_sample_key *keys; /* one per row */
    size_t key_capacity;
    uint32_t *row_of_type;        /* in the present unit, plus one */
    size_t type_capacity;
    size_t first_row;             /* of the present unit */
    uint32_t unit;
};

int heap_sample_open(struct heap_sample *sample, struct heap *heap);
void heap_sample_close(struct heap_sample *sample);
int heap_sample_walk(struct heap_sample *sample, const uint64_t *pools, size_t pool_count,
                     const struct heap_piece *pieces, size_t piece_count);

#endif
